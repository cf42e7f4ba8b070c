/* SPDX-License-Identifier: MIT */
/* Edge files of recordings, and pre-aggregated text. */
#include <inttypes.h>

#include "pgo/cli/dump.h"
#include "pgobolt/collector/edge_file.h"
#include "pgobolt/collector/file.h"
#include "pgobolt/collector/preagg.h"

static const char *const edge_kinds[PGB_EDGE_KINDS] = {
	[PGB_EDGE_TRACE] = "branch and range",	[PGB_EDGE_BRANCH] = "branch",
	[PGB_EDGE_NOT_TAKEN] = "not taken",	[PGB_EDGE_IP] = "place",
	[PGB_EDGE_RETURN] = "return and range", [PGB_EDGE_RANGE] = "range from outside",
};

static int hotter_edge(const void *a, const void *b)
{
	const struct pgb_edge *x = *(const struct pgb_edge *const *)a;
	const struct pgb_edge *y = *(const struct pgb_edge *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x < y ? -1 : x > y;
}

static void add_address(struct pgb_table *table, uint64_t address)
{
	if (address == PGB_ADDRESS_EXTERNAL)
		pgb_table_cell(table, "outside");
	else if (address == PGB_ADDRESS_NONE)
		pgb_table_cell(table, "-");
	else
		pgb_table_cell(table, "%" PRIx64, address);
}

static json_t *address_json(uint64_t address)
{
	if (address == PGB_ADDRESS_EXTERNAL)
		return json_string("external");
	return address == PGB_ADDRESS_NONE ? json_null() : pgb_dump_address(address);
}

static json_t *print_edges(const struct dump *dump, const struct pgb_edge *edges, size_t count)
{
	static const char *const heads[] = {"COUNT",  "MISPREDICTED", "KIND",
					    "BRANCH", "FROM",	      "TO"};
	struct pgb_table table = {.columns = 6, .right = "rr-rrr", .header = true, .indent = 2};
	const struct pgb_edge **order = pgb_calloc(count, sizeof(const void *));
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		order[i] = &edges[i];
	qsort(order, count, sizeof(*order), hotter_edge);
	pgb_dump_heads(&table, heads);
	for (size_t i = 0; i < pgb_dump_rows(dump, count); i++) {
		const struct pgb_edge *edge = order[i];

		pgb_table_cell(&table, "%" PRIu64, edge->count);
		pgb_table_cell(&table, "%" PRIu64, edge->mispredicts);
		pgb_table_cell(&table, "%s", edge_kinds[edge->kind]);
		add_address(&table, edge->branch);
		add_address(&table, edge->from);
		add_address(&table, edge->to);
		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kind",
						      edge_kinds[edge->kind], "branch",
						      address_json(edge->branch), "from",
						      address_json(edge->from), "to",
						      address_json(edge->to), "count",
						      pgb_dump_count(edge->count), "mispredicts",
						      pgb_dump_count(edge->mispredicts)));
	}
	pgb_output_heading(dump->output, "Hottest edges");
	pgb_table_print(&table, dump->output);
	pgb_dump_left_out(dump, count);
	pgb_table_release(&table);
	free(order);
	return list;
}

/* Takes `document`. */
static void describe_edges(const struct dump *dump, struct pgb_edges *edges, json_t *document)
{
	uint64_t lines[PGB_EDGE_KINDS] = {0}, counts[PGB_EDGE_KINDS] = {0};
	struct pgb_table table = {.columns = 3, .right = "-rr", .header = true, .indent = 2};
	size_t count;
	const struct pgb_edge *sorted = pgb_edges_sorted(edges, &count);

	for (size_t i = 0; i < count; i++) {
		lines[sorted[i].kind]++;
		counts[sorted[i].kind] += sorted[i].count;
	}
	pgb_output_heading(dump->output, "Kinds of edges");
	pgb_dump_heads(&table, (const char *const[]){"KIND", "EDGES", "COUNT"});
	for (size_t kind = 0; kind < PGB_EDGE_KINDS; kind++) {
		if (lines[kind] == 0)
			continue;
		pgb_table_cell(&table, "%s", edge_kinds[kind]);
		pgb_table_cell(&table, "%" PRIu64, lines[kind]);
		pgb_table_cell(&table, "%" PRIu64, counts[kind]);
	}
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
	json_object_set_new(document, "edge_count", json_integer((json_int_t)count));
	json_object_set_new(document, "edges", print_edges(dump, sorted, count));
	pgb_output_json(dump->output, document);
}

static void print_edge_head(const struct dump *dump, const struct pgb_edge_file_head *head,
			    json_t *document)
{
	struct pgb_table table = {.columns = 2, .indent = 2};
	char *build_id = pgb_build_id_string(&head->build_id);

	pgb_table_pair(&table, "binary", "%s", head->name);
	if (build_id[0])
		pgb_table_pair(&table, "build-id", "%s", build_id);
	else
		pgb_table_pair(&table, "code hash", "%016" PRIx64, head->code_hash);
	pgb_table_pair(&table, "source", "%s, %s", head->source, head->event);
	pgb_table_print(&table, dump->output);
	pgb_table_release(&table);
	json_object_update_new(document,
			       json_pack("{s:o, s:s?, s:s, s:s}", "name", pgb_json_text(head->name),
					 "build_id", build_id[0] ? build_id : NULL, "source",
					 head->source, "event", head->event));
	free(build_id);
}

int pgb_dump_edges(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_edge_file_head head = {0};
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_file_map map = {0};
	int code = pgb_file_map_open(&map, dump->path, error);

	if (code == 0)
		code = pgb_edge_file_read(pgb_cursor_of(map.bytes, map.size_bytes), dump->path, 1,
					  &head, edges, 0, error);
	if (code == 0) {
		json_t *document = pgb_dump_document(dump);

		pgb_dump_title(dump, "");
		print_edge_head(dump, &head, document);
		describe_edges(dump, edges, document);
	}
	pgb_edge_file_head_release(&head);
	pgb_file_map_close(&map);
	pgb_edges_free(edges);
	return code;
}

int pgb_dump_preagg(const struct dump *dump, struct pgb_error *error)
{
	struct pgb_edges *edges = pgb_edges_new();
	struct pgb_file_map map = {0};
	int code = pgb_file_map_open(&map, dump->path, error);

	if (code == 0)
		code = pgb_preagg_read(pgb_cursor_of(map.bytes, map.size_bytes), dump->path, 1,
				       NULL, edges, 0, error);
	if (code == 0) {
		pgb_dump_title(dump, "");
		describe_edges(dump, edges, pgb_dump_document(dump));
	}
	pgb_file_map_close(&map);
	pgb_edges_free(edges);
	return code;
}
