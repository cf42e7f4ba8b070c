/* SPDX-License-Identifier: MIT */
/*
 * What can go wrong, by class; the exit status of a command follows from it.
 */
#ifndef PGOBOLT_BASE_CODE_H
#define PGOBOLT_BASE_CODE_H

/*
 * name, exit status of the command it ends, what it means.
 * Exit status: 1 failed, 2 usage, 3 this machine or toolchain cannot do it.
 */
#define PGB_CODES(X)                                                                               \
	X(USAGE, 2, "the command line is wrong")                                                   \
	X(IO, 1, "reading or writing failed")                                                      \
	X(NOT_FOUND, 1, "a file, program, process or function is not there")                       \
	X(EXISTS, 1, "something is in the way: output is input, or would be overwritten")          \
	X(PERMISSION, 3, "the system forbids it to this user")                                     \
	X(UNSUPPORTED, 3, "this machine, kernel or toolchain cannot do it")                        \
	X(RESOURCE, 3, "a limit of the system was reached: files, locked memory, disk")            \
	X(CORRUPT, 1, "input breaks its format")                                                   \
	X(TRUNCATED, 1, "input ends too early")                                                    \
	X(LIMIT, 1, "input is larger than a limit of pgobolt")                                     \
	X(MISMATCH, 1, "two things do not belong together: profile and binary, two profiles")      \
	X(EMPTY, 1, "nothing usable: no samples, no profile, no function matched")                 \
	X(NOT_SUITABLE, 1, "the binary cannot be optimized as it was built")                       \
	X(TOOL, 1, "a program that pgobolt runs failed")                                           \
	X(CHECK, 1, "a check of the result failed")                                                \
	X(GONE, 1, "a process ended before it could be followed")                                  \
	X(INTERRUPTED, 1, "stopped by a signal")

enum pgb_code {
	PGB_OK = 0,
	PGB_CODE_BASE = -1000,
#define PGB_CODE_ENUM(name, status, meaning) PGB_E_##name,
	PGB_CODES(PGB_CODE_ENUM)
#undef PGB_CODE_ENUM
		PGB_CODE_END
};

/* "NOT_FOUND"; "OK" for 0. */
static inline const char *pgb_code_name(int code)
{
	switch (code) {
#define PGB_CODE_CASE(name, status, meaning)                                                       \
	case PGB_E_##name:                                                                         \
		return #name;
		PGB_CODES(PGB_CODE_CASE)
#undef PGB_CODE_CASE
	case PGB_OK:
		return "OK";
	}
	return "UNKNOWN";
}

/* The exit status of a command that ends with this code. */
static inline int pgb_code_exit_status(int code)
{
	switch (code) {
#define PGB_CODE_CASE(name, status, meaning)                                                       \
	case PGB_E_##name:                                                                         \
		return status;
		PGB_CODES(PGB_CODE_CASE)
#undef PGB_CODE_CASE
	case PGB_OK:
		return 0;
	}
	return 1;
}

/* One line that explains the code. */
static inline const char *pgb_code_meaning(int code)
{
	switch (code) {
#define PGB_CODE_CASE(name, status, meaning)                                                       \
	case PGB_E_##name:                                                                         \
		return meaning;
		PGB_CODES(PGB_CODE_CASE)
#undef PGB_CODE_CASE
	}
	return "";
}

#endif
