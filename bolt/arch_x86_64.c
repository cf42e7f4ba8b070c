/* SPDX-License-Identifier: MIT */
typedef int pgb_arch_x86_64_is_not_written_yet;
