/* SPDX-License-Identifier: MIT */
#include "pgo/cli/run_report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pgobolt/base/text.h"
#include "pgobolt/bench/runner.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/pgo/cli/table.h"

enum { VARIANTS = 3, FILE_SIZE_MAX = 256 << 20, ROUNDS_MAX = 1000000 };

static const char *const titles[VARIANTS] = {"baseline", "PGO", "PGO+BOLT"};

/* values[round * VARIANTS + variant]; NULL: the document is not as expected. */
static double *read_values(const json_t *root, size_t *rounds)
{
	const json_t *commands = json_object_get(root, "commands");
	double *values = NULL;

	if (json_array_size(commands) != VARIANTS)
		return NULL;
	*rounds = json_array_size(json_object_get(json_array_get(commands, 0), "runs"));
	if (*rounds == 0 || *rounds > ROUNDS_MAX)
		return NULL;
	values = pgb_calloc(*rounds * VARIANTS, sizeof(*values));
	for (size_t v = 0; v < VARIANTS; v++) {
		const json_t *runs = json_object_get(json_array_get(commands, v), "runs");

		for (size_t i = 0; i < *rounds; i++) {
			const json_t *run = json_array_get(runs, i);
			double value = json_number_value(json_object_get(run, "wall_seconds"));

			if (!(value > 0) || !isfinite(value)) {
				free(values);
				return NULL;
			}
			values[i * VARIANTS + v] = value;
		}
	}
	return values;
}

static struct pgb_run_ratio ratio_of(const struct pgb_comparison *comparison)
{
	const struct pgb_estimate *ratio = &comparison->ratio;

	return (struct pgb_run_ratio){ratio->value, ratio->low, ratio->high,
				      comparison->verdict == PGB_VERDICT_FASTER ||
					      comparison->verdict == PGB_VERDICT_SLOWER,
				      comparison->verdict == PGB_VERDICT_TOO_FEW};
}

/* Three comparisons share the chance of error. */
static void compare(struct pgb_run_times *times, const double *values, size_t rounds)
{
	const double level = PGB_BENCH_ERROR_RATE / VARIANTS;
	struct pgb_samples all = {values, VARIANTS, rounds, false};
	double *pair = pgb_calloc(rounds * 2, sizeof(*pair));
	struct pgb_samples two = {pair, 2, rounds, false};
	struct pgb_comparison comparisons[VARIANTS], of_two[2];

	for (size_t i = 0; i < rounds; i++) {
		pair[i * 2] = values[i * VARIANTS + 1];
		pair[i * 2 + 1] = values[i * VARIANTS + 2];
	}
	pgb_stats_compare(&all, level, 1, comparisons);
	pgb_stats_compare(&two, level, 1, of_two);
	for (size_t v = 0; v < VARIANTS; v++) {
		const struct pgb_estimate *median = &comparisons[v].median;

		times->seconds[v] = (struct pgb_run_ratio){median->value, median->low, median->high,
							   true, rounds < 2};
		times->to_baseline[v] = ratio_of(&comparisons[v]);
	}
	times->to_pgo = ratio_of(&of_two[1]);
	times->rounds = rounds;
	free(pair);
}

int pgb_run_times_read(struct pgb_run_times *times, const char *path, struct pgb_error *error)
{
	struct pgb_text text = {0};
	int code = pgb_file_read(&text, path, FILE_SIZE_MAX, error);
	json_t *root = code == 0 ? json_loadb(pgb_text_string(&text), text.length, 0, NULL) : NULL;
	size_t rounds = 0;
	double *values = read_values(root, &rounds);

	if (code == 0 && values == NULL)
		code = pgb_fail(error, PGB_E_CORRUPT, "%s does not hold runs of three commands",
				path);
	if (code == 0)
		compare(times, values, rounds);
	free(values);
	json_decref(root);
	pgb_text_release(&text);
	return code;
}

static void ratio_cell(struct pgb_table *table, const struct pgb_run_ratio *ratio)
{
	if (ratio->few)
		pgb_table_cell(table, "%.3fx, too few runs to tell", ratio->value);
	else if (ratio->shown)
		pgb_table_cell(table, "%.3fx (%.3f .. %.3f)", ratio->value, ratio->low,
			       ratio->high);
	else
		pgb_table_cell(table, "%.3fx (%.3f .. %.3f), no difference shown", ratio->value,
			       ratio->low, ratio->high);
}

void pgb_run_times_print(struct pgb_output *output, const struct pgb_run_times *times,
			 const char *const *paths)
{
	struct pgb_table table = {.columns = 5, .right = "-rrll", .header = true};
	bool short_runs = times->seconds[0].value < 1;
	double unit = short_runs ? 1e3 : 1;

	pgb_table_cell(&table, "%s", "");
	pgb_table_cell(&table, "size");
	pgb_table_cell(&table, "time, %s", short_runs ? "ms" : "s");
	pgb_table_cell(&table, "speed over baseline");
	pgb_table_cell(&table, "speed over PGO");
	for (size_t v = 0; v < VARIANTS; v++) {
		const struct pgb_run_ratio *seconds = &times->seconds[v];
		struct stat status;

		pgb_table_cell(&table, "%s", titles[v]);
		if (stat(paths[v], &status) == 0)
			pgb_table_cell(&table, "%s", PGB_SIZE((uint64_t)status.st_size));
		else
			pgb_table_cell(&table, "-");
		if (seconds->few)
			pgb_table_cell(&table, "%.3f", seconds->value * unit);
		else
			pgb_table_cell(&table, "%.3f (%.3f .. %.3f)", seconds->value * unit,
				       seconds->low * unit, seconds->high * unit);
		if (v == 0)
			pgb_table_cell(&table, "1");
		else
			ratio_cell(&table, &times->to_baseline[v]);
		if (v == 2)
			ratio_cell(&table, &times->to_pgo);
		else
			pgb_table_cell(&table, "%s", v == 1 ? "1" : "");
	}
	pgb_table_print(&table, output);
	pgb_table_release(&table);
	if (times->to_pgo.few)
		pgb_output_note(output, "Medians of %zu interleaved run%s of each", times->rounds,
				times->rounds == 1 ? "" : "s");
	else
		pgb_output_note(output,
				"Medians of %zu interleaved runs of each; intervals hold the true "
				"value with 95%% confidence, all together",
				times->rounds);
}

static json_t *ratio_json(const struct pgb_run_ratio *ratio)
{
	return json_pack("{s:f, s:f, s:f, s:b}", "value", ratio->value, "low", ratio->low, "high",
			 ratio->high, "shown", ratio->shown);
}

json_t *pgb_run_times_json(const struct pgb_run_times *times)
{
	static const char *const keys[VARIANTS] = {"baseline", "pgo", "bolt"};
	json_t *json = json_pack("{s:I}", "rounds", (json_int_t)times->rounds);

	for (size_t v = 0; v < VARIANTS; v++)
		json_object_set_new(json, keys[v],
				    json_pack("{s:o, s:o}", "seconds",
					      ratio_json(&times->seconds[v]), "to_baseline",
					      ratio_json(&times->to_baseline[v])));
	json_object_set_new(json, "bolt_to_pgo", ratio_json(&times->to_pgo));
	return json;
}
