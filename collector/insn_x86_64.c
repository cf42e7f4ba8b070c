/* SPDX-License-Identifier: MIT */
typedef int pgb_insn_x86_64_is_not_written_yet;
