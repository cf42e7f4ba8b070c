/* SPDX-License-Identifier: MIT */
typedef int pgb_insn_aarch64_is_not_written_yet;
