/* SPDX-License-Identifier: MIT */
#include "pgobolt/pgo/input.h"

#include <ctype.h>
#include <sys/stat.h>

#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/recording.h"

#define HEAD_BYTES 16384

struct magic {
	enum pgb_input_kind kind;
	size_t length;
	const char *bytes;
};

static const struct magic magics[] = {
	{PGB_INPUT_ELF, 4, "\177ELF"},
	{PGB_INPUT_PERF_DATA, 8, "PERFILE2"},
	{PGB_INPUT_PERF_DATA, 8, "2ELIFREP"},
	{PGB_INPUT_EDGES, 14, "pgobolt-edges "},
	{PGB_INPUT_FDATA, 6, "no_lbr"},
	{PGB_INPUT_FDATA, 16, "boltedcollection"},
	{PGB_INPUT_YAML, 4, "---\n"},
	{PGB_INPUT_RECORDING_JSON, 2, "{\n"},
	{PGB_INPUT_LLVM_RAW, 8, "\201rforpl\377"}, /* little-endian, 64 bits */
	{PGB_INPUT_LLVM_INDEXED, 8, "\377lprofi\201"},
	{PGB_INPUT_GCDA, 4, "adcg"},
	{PGB_INPUT_GCDA, 4, "gcda"},
	/* ULEB128 of "SPROF42" and a byte: 4 extensible, 255 plain */
	{PGB_INPUT_SAMPLES, 9, "\204\344\320\261\364\311\224\250\123"},
	{PGB_INPUT_SAMPLES, 9, "\377\345\320\261\364\311\224\250\123"},
};

/* "1 main 2a 1 main 30 0 17": a kind from 0 to 5, and a name behind one blank. */
static bool looks_like_fdata(const uint8_t *bytes, size_t size_bytes)
{
	return size_bytes >= 3 && bytes[0] >= '0' && bytes[0] <= '5' && bytes[1] == ' ' &&
	       isgraph(bytes[2]);
}

/* "B 401136 401120 17 2": a letter, blanks, and hex digits or (behind E) a name. */
static bool looks_like_preagg(const uint8_t *bytes, size_t size_bytes)
{
	size_t at = 0;
	uint8_t letter;

	while (at < size_bytes && bytes[at] == ' ')
		at++;
	if (size_bytes - at < 3 || bytes[at] == '\0' || strchr("ESTRBFfr", bytes[at]) == NULL)
		return false;
	letter = bytes[at++];
	if (bytes[at] != ' ')
		return false;
	while (at < size_bytes && bytes[at] == ' ')
		at++;
	return at < size_bytes && (letter == 'E' ? isgraph(bytes[at]) : isxdigit(bytes[at]));
}

/* "main:1000:12" in the first line: the last two are numbers. Not "B:0" of a list. */
static bool looks_like_samples(const uint8_t *bytes, size_t size_bytes)
{
	size_t end = 0, colons = 0, digits = 0;

	while (end < size_bytes && bytes[end] != '\n')
		end++;
	if (end == size_bytes || end == 0 || !isgraph(bytes[0]))
		return false;
	while (end > 0 && colons < 2) {
		uint8_t byte = bytes[--end];

		if (byte == ':' && digits > 0) {
			colons++;
			digits = 0;
		} else if (isdigit(byte)) {
			digits++;
		} else {
			return false;
		}
	}
	return colons == 2 && end > 0;
}

enum pgb_input_kind pgb_input_kind_of(struct pgb_cursor head)
{
	size_t left = pgb_cursor_left(&head);

	if (left == 0)
		return PGB_INPUT_EMPTY;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if (left >= magics[i].length &&
		    memcmp(head.at, magics[i].bytes, magics[i].length) == 0)
			return magics[i].kind;
	if (looks_like_fdata(head.at, left))
		return PGB_INPUT_FDATA;
	if (looks_like_preagg(head.at, left))
		return PGB_INPUT_PREAGG;
	if (looks_like_samples(head.at, left))
		return PGB_INPUT_SAMPLES;
	return PGB_INPUT_UNKNOWN;
}

static int identify_folder(const char *path, enum pgb_input_kind *kind, struct pgb_error *error)
{
	if (pgb_recording_is_folder(path)) {
		*kind = PGB_INPUT_RECORDING;
		return 0;
	}
	pgb_fail(error, PGB_E_NOT_FOUND, "%s is a folder without a recording in it", path);
	return pgb_remedy(error, "a recording holds a recording.json: pgobolt record -o DIR -- "
				 "PROGRAM");
}

int pgb_input_identify(const char *path, enum pgb_input_kind *kind, struct pgb_error *error)
{
	struct pgb_file_map map = {0};
	struct stat status;
	int code;

	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return identify_folder(path, kind, error);
	code = pgb_file_map_open(&map, path, error);
	if (code)
		return code;
	*kind = pgb_input_kind_of(pgb_cursor_of(
		map.bytes, map.size_bytes < HEAD_BYTES ? map.size_bytes : HEAD_BYTES));
	pgb_file_map_close(&map);
	return 0;
}

const char *pgb_input_kind_name(enum pgb_input_kind kind)
{
	static const char *const names[PGB_INPUT_KINDS] = {
		[PGB_INPUT_UNKNOWN] = "file of unknown kind",
		[PGB_INPUT_EMPTY] = "empty file",
		[PGB_INPUT_ELF] = "ELF file",
		[PGB_INPUT_PERF_DATA] = "perf.data file",
		[PGB_INPUT_EDGES] = "edge file of a recording",
		[PGB_INPUT_FDATA] = "fdata profile",
		[PGB_INPUT_PREAGG] = "pre-aggregated profile",
		[PGB_INPUT_YAML] = "YAML profile",
		[PGB_INPUT_RECORDING_JSON] = "recording.json",
		[PGB_INPUT_RECORDING] = "recording",
		[PGB_INPUT_LLVM_RAW] = "raw LLVM profile",
		[PGB_INPUT_LLVM_INDEXED] = "indexed LLVM profile",
		[PGB_INPUT_GCDA] = "gcc profile",
		[PGB_INPUT_SAMPLES] = "sample profile",
	};

	pgb_assert(kind < PGB_INPUT_KINDS);
	return names[kind];
}

static const char *use_of(enum pgb_input_kind kind)
{
	switch (kind) {
	case PGB_INPUT_ELF:
		return "to check a binary: pgobolt verify FILE";
	case PGB_INPUT_PERF_DATA:
		return "pgobolt convert -b BINARY FILE -o OUT.fdata converts it";
	case PGB_INPUT_EDGES:
	case PGB_INPUT_RECORDING_JSON:
		return "name the recording's folder instead of a file in it";
	case PGB_INPUT_YAML:
		return "llvm-bolt BINARY -o OUT -data=FILE reads it";
	case PGB_INPUT_LLVM_RAW:
	case PGB_INPUT_LLVM_INDEXED:
		return "llvm-profdata merge is the tool for profiles of clang and rustc";
	case PGB_INPUT_GCDA:
		return "gcov-tool merge is the tool for profiles of gcc";
	case PGB_INPUT_SAMPLES:
		return "pgobolt build --use --sample FILE -- BUILD COMMAND uses it";
	case PGB_INPUT_EMPTY:
		return "whatever wrote it failed or recorded nothing: make it again";
	case PGB_INPUT_UNKNOWN:
		return "fdata lines look like: 1 main 2a 1 main 30 0 17";
	case PGB_INPUT_FDATA:
	case PGB_INPUT_PREAGG:
	case PGB_INPUT_RECORDING:
	case PGB_INPUT_KINDS:
		break;
	}
	return NULL;
}

int pgb_input_refuse(const char *path, enum pgb_input_kind kind, const char *wanted,
		     struct pgb_error *error)
{
	const char *use = use_of(kind);

	if (kind == PGB_INPUT_EMPTY)
		pgb_fail(error, PGB_E_EMPTY, "%s is empty", path);
	else if (kind == PGB_INPUT_UNKNOWN)
		pgb_fail(error, PGB_E_CORRUPT, "%s is not %s", path, wanted);
	else
		pgb_fail(error, PGB_E_MISMATCH, "%s is not %s but %s %s", path, wanted,
			 strchr("eEi", *pgb_input_kind_name(kind)) ? "an" : "a",
			 pgb_input_kind_name(kind));
	return use ? pgb_remedy(error, "%s", use) : error->code;
}
