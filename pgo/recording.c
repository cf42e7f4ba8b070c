/* SPDX-License-Identifier: MIT */
typedef int pgb_recording_is_not_written_yet;
