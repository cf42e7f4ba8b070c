/* SPDX-License-Identifier: MIT */
/*
 * A recording of the laboratory, delivered again as a live session: the stand-in for the kernel
 * writes its records into rings and AUX areas, CPU by CPU, and the project's live path takes them
 * out, at a pace that can be too slow.
 *
 *	live [options] lbr|spe|ibs|ip BINARY PERF.DATA
 *
 * prints the edges as `decode` does. They must be those of the records that the rings had room
 * for, and all others must have been counted as lost: else it fails.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collector/session_private.h"
#include "pgobolt/base/text.h"
#include "pgobolt/collector/feed_live.h"
#include "pgobolt/collector/feed_perfdata.h"
#include "pgobolt/collector/perfdata_write.h"
#include "tests/lab/facts.h"
#include "tests/lab/reencode.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_perf.h"

static const char usage_text[] =
	"usage: live [options] lbr|spe|ibs|ip BINARY PERF.DATA\n"
	"      --machine NAME     skylake, zen2, zen3, zen4, neoverse [as the source wants]\n"
	"      --all-processes    as with -a, not as with -p\n"
	"      --ring-pages N     of each CPU\n"
	"      --aux-pages N\n"
	"      --stretch N        time passes so many times as slowly [1000]\n"
	"      --stay N           a thread moves to another CPU after N records [64]\n"
	"      --every N          the reader is away while N records are written [0]\n"
	"      --take N           it reads at most N each time; 0: all there are [0]\n"
	"      --throttle N       each Nth record is preceded by a THROTTLE record\n"
	"      --keep FILE        what record --raw writes\n";

#define CLOCK_NS	 UINT64_C(1000000000000)
#define WAIT_NS		 UINT64_C(200000000) /* the longest sleep */
#define AUX_RECORD_BYTES 64		     /* with its trailer */

struct arguments {
	const struct pgb_source *source;
	enum fake_machine machine;
	char *binary;
	const char *recording, *keep;
	uint64_t ring_pages, aux_pages, stretch, stay, every, take, throttle;
	bool all_processes;
};

struct lab_live {
	const struct arguments *arguments;
	struct fake_perf *perf;
	struct pgb_host host;
	char *root;
	struct pgb_feed *file, *feed;
	/* What came through the rings, and what these had room for. */
	struct pgb_session *session, *reference;
	struct pgb_perfdata_writer *writer;
	struct perf_bytes bytes;
	uint64_t first_ns, now_ns, turn_ns;
	uint64_t written, refused, stopped, bytes_written, aux_bytes_written, wake_ups, throttles;
	uint64_t pieces, since_turn;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "live: %s: %s\n", what, why);
	exit(1);
}

/* ---- setting up */

static struct pgb_session *new_session(const struct arguments *arguments)
{
	static struct pgb_binary_opener opener = {.open = lab_open_binary};
	struct pgb_session_config config = {.source = arguments->source, .opener = &opener};
	struct pgb_session *session;

	opener.context = arguments->binary;
	if (pgb_session_new(&session, &config, NULL) < 0)
		die("session", "cannot be made");
	return session;
}

static void open_host(struct lab_live *live)
{
	struct pgb_error error = {0};

	live->root = fake_root_new(live->arguments->machine);
	if (pgb_host_init(&live->host, live->root, &error) < 0)
		die("host", error.message);
	live->host.has_perfmon = true;
	live->host.perf_paranoid = -1;
}

/* The first record that names a process, and when it began. */
static struct pgb_record find_start(const struct arguments *arguments)
{
	const struct pgb_feed_perfdata_config config = {.path = arguments->recording};
	struct pgb_record record = {0};
	struct pgb_error error = {0};
	struct pgb_feed *feed;

	if (pgb_feed_perfdata_new(&feed, &config, &error) < 0)
		die(arguments->recording, error.message);
	while (pgb_feed_next(feed, &record, &error) > 0 && record.type != PERF_RECORD_COMM)
		;
	pgb_feed_free(feed);
	return record;
}

static void open_feed(struct lab_live *live)
{
	const struct arguments *arguments = live->arguments;
	const struct pgb_record start = find_start(arguments);
	pid_t pid = (pid_t)start.subject_pid;
	char *task = pgb_format("/proc/%d/task/%d/comm", (int)pid, (int)pid);
	struct pgb_source_plan plan;
	struct pgb_error error = {0};
	struct pgb_feed_live_config config = {.sys = fake_perf_sys(live->perf),
					      .host = &live->host,
					      .attrs = plan.attrs,
					      .system_wide = arguments->all_processes,
					      .pids = &pid,
					      .pid_count = !arguments->all_processes,
					      .aux = arguments->source->reads_aux,
					      .ring_pages = arguments->ring_pages,
					      .aux_pages = arguments->aux_pages};

	/* what the hardware wrote into its trace are times of the recording */
	fake_perf_set_ticks(live->perf, start.time_ns, (uint32_t)arguments->stretch, 0);
	fake_root_write(live->root, task, "program");
	free(task);
	if (arguments->source->plan(&live->host, NULL, &plan, &error) < 0)
		die(arguments->source->name, error.message);
	config.attr_count = plan.attr_count;
	if (pgb_feed_live_new(&live->feed, &config, &error) < 0 ||
	    pgb_feed_live_enable(live->feed, &error) < 0)
		die(arguments->source->name, error.message);
	if (arguments->keep && pgb_feed_live_keep(live->feed, arguments->keep, &live->host,
						  plan.event_name, &live->writer, &error) < 0)
		die(arguments->keep, error.message);
}

static void open_all(struct lab_live *live, const struct arguments *arguments)
{
	const struct pgb_feed_perfdata_config config = {.path = arguments->recording};
	struct pgb_error error = {0};

	*live = (struct lab_live){.arguments = arguments,
				  .perf = fake_perf_new(),
				  .now_ns = CLOCK_NS,
				  .turn_ns = CLOCK_NS};
	fake_perf_set_clock(live->perf, CLOCK_NS);
	open_host(live);
	open_feed(live);
	live->session = new_session(arguments);
	live->reference = new_session(arguments);
	if (pgb_feed_perfdata_new(&live->file, &config, &error) < 0)
		die(arguments->recording, error.message);
	if (arguments->source->reads_aux)
		pgb_feed_perfdata_attach_aux(live->file);
}

static void close_all(struct lab_live *live)
{
	pgb_feed_free(live->feed);
	pgb_feed_free(live->file);
	pgb_session_free(live->session);
	pgb_session_free(live->reference);
	pgb_host_release(&live->host);
	fake_root_remove(live->root);
	free(live->root);
	fake_perf_free(live->perf);
	perf_bytes_release(&live->bytes);
}

/* ---- the reader */

static void read_some(struct lab_live *live, uint64_t most)
{
	struct pgb_record record;

	for (uint64_t i = 0; most == 0 || i < most; i++) {
		if (pgb_feed_next(live->feed, &record, NULL) <= 0)
			break;
		pgb_session_dispatch(live->session, &record);
		live->pieces += pgb_cursor_left(&record.aux_bytes) > 0;
	}
}

/* It sleeps until the kernel wakes it, but not for ever; sometimes it has other things to do. */
static void give_turn(struct lab_live *live)
{
	if (++live->since_turn < live->arguments->every)
		return;
	if (pgb_feed_wait(live->feed, 0) <= 0 && live->now_ns - live->turn_ns < WAIT_NS)
		return;
	live->since_turn = 0;
	live->turn_ns = live->now_ns;
	live->wake_ups++;
	read_some(live, live->arguments->take);
}

/* ---- the kernel */

/* On this CPU: the event of the hardware, or the one that tells of mappings. */
static struct fake_event *event_on(const struct lab_live *live, int cpu, bool side_band)
{
	struct fake_event *event, *found = NULL;

	for (size_t i = 0; (event = fake_perf_event(live->perf, i)) != NULL; i++)
		if (!event->closed && event->cpu == cpu && (side_band || found == NULL))
			found = event;
	if (found == NULL)
		die("the stand-in", "has no event on a CPU");
	return found;
}

/* One record into the ring of a CPU; did it fit? */
static bool deliver(struct lab_live *live, struct fake_event *event,
		    const struct pgb_record *record)
{
	const struct perf_identity who = {.pid = record->pid,
					  .tid = record->tid,
					  .cpu = (uint32_t)event->cpu,
					  .time_ns = live->now_ns,
					  .id = event->id};
	uint64_t lost = event->lost;
	bool fits;

	if (!event->enabled) {
		live->stopped++;
		return false;
	}
	if (record->type == PERF_RECORD_AUX) {
		fits = fake_perf_write_aux(live->perf, event, &who, record->aux_bytes.at,
					   pgb_cursor_left(&record->aux_bytes), record->aux.flags);
		live->aux_bytes_written += fits ? pgb_cursor_left(&record->aux_bytes) : 0;
		live->bytes_written += fits ? AUX_RECORD_BYTES : 0;
		live->refused += event->lost - lost; /* without room in the area none is lost */
		return fits;
	}
	live->bytes.length = 0;
	if (!lab_reencode(&live->bytes, &event->attr, &who, record))
		return false;
	fits = fake_perf_write(live->perf, event, live->bytes.data, live->bytes.length);
	live->bytes_written += fits ? live->bytes.length : 0;
	live->refused += !fits;
	return fits;
}

static void throttle(struct lab_live *live, struct fake_event *event)
{
	const struct perf_identity who = {
		.cpu = (uint32_t)event->cpu, .time_ns = live->now_ns, .id = event->id};
	const uint32_t types[] = {PERF_RECORD_THROTTLE, PERF_RECORD_UNTHROTTLE};

	for (size_t i = 0; i < 2; i++) {
		bool fits;

		live->bytes.length = 0;
		perf_encode_throttle(&live->bytes, &event->attr, types[i], &who);
		fits = fake_perf_write(live->perf, event, live->bytes.data, live->bytes.length);
		live->refused += !fits && event->enabled;
		live->throttles += fits && i == 0;
	}
}

static void write_record(struct lab_live *live, const struct pgb_record *record)
{
	const struct arguments *arguments = live->arguments;
	int cpu = (int)(live->written / arguments->stay % live->host.cpus_online.count);
	bool side_band = record->type != PERF_RECORD_SAMPLE && record->type != PERF_RECORD_AUX;
	struct fake_event *event = event_on(live, cpu, side_band);
	struct pgb_record kept = *record, lost = {.type = PERF_RECORD_LOST, .cpu = record->cpu};
	uint64_t refused = live->refused;
	bool fits;

	if (live->first_ns == 0)
		live->first_ns = record->time_ns;
	if (record->time_ns >= live->first_ns)
		live->now_ns = CLOCK_NS + (record->time_ns - live->first_ns) * arguments->stretch;
	/* every record has a time of its own, so that order is the same everywhere */
	live->now_ns += ++live->written;
	fake_perf_set_clock(live->perf, live->now_ns);
	if (arguments->throttle && live->written % arguments->throttle == 0)
		throttle(live, event_on(live, cpu, false));
	kept.aux_of_cpu = arguments->all_processes;
	fits = deliver(live, event, record);
	if (live->refused > refused)
		pgb_session_dispatch(live->reference, &lost);
	if (fits)
		pgb_session_dispatch(live->reference, &kept);
	give_turn(live);
}

static void run(struct lab_live *live)
{
	struct pgb_record record;
	struct pgb_error error = {0};
	int code;

	while ((code = pgb_feed_next(live->file, &record, &error)) > 0)
		write_record(live, &record);
	if (code < 0)
		die(live->arguments->recording, error.message);
	pgb_feed_live_disable(live->feed);
	pgb_feed_live_finish(live->feed);
	read_some(live, 0);
}

/* ---- what came of it */

static bool same_edge(const struct pgb_edge *one, const struct pgb_edge *other)
{
	return one->kind == other->kind && one->branch == other->branch &&
	       one->from == other->from && one->to == other->to && one->count == other->count &&
	       one->mispredicts == other->mispredicts;
}

static const struct pgb_edge *edges_of(struct pgb_session *session, const char *path, size_t *count)
{
	struct pgb_addrspace *space = pgb_session_addrspace(session);
	struct pgb_edges *edges = pgb_session_edges(session);

	*count = 0;
	for (uint32_t i = 0; i < pgb_addrspace_binary_count(space); i++)
		if (strcmp(pgb_addrspace_binary(space, i)->path, path) == 0)
			return pgb_edges_of_binary(edges, i, count);
	return NULL;
}

static int compare(struct lab_live *live)
{
	const char *path = live->arguments->binary;
	size_t count, expected_count;
	const struct pgb_edge *edges = edges_of(live->session, path, &count);
	const struct pgb_edge *expected = edges_of(live->reference, path, &expected_count);
	const struct pgb_feed_stats *stats = &live->feed->stats;
	int failed = 0;

	for (size_t i = 0; i < count && count == expected_count; i++)
		failed |= !same_edge(&edges[i], &expected[i]);
	if (failed || count != expected_count)
		failed = fprintf(stderr, "live: the edges differ from those of what was written\n");
	if (stats->lost_records != live->refused)
		failed = fprintf(stderr, "live: %" PRIu64 " counted as lost, not %" PRIu64 "\n",
				 stats->lost_records, live->refused);
	if (stats->throttled != live->throttles)
		failed = fprintf(stderr, "live: throttled %" PRIu64 " times, not %" PRIu64 "\n",
				 stats->throttled, live->throttles);
	if (stats->malformed + stats->disordered + stats->unknown > 0)
		failed = fprintf(stderr, "live: malformed, disordered or unknown records\n");
	return failed != 0;
}

static uint64_t ring_bytes_of(const struct lab_live *live, bool aux)
{
	const struct fake_event *event = event_on(live, 0, false);

	return fake_perf_ring_bytes(event, aux) * live->host.cpus_online.count;
}

static void print(struct lab_live *live)
{
	uint64_t aux_bytes = ring_bytes_of(live, true);
	struct pgb_session_stats stats = *pgb_session_stats(live->session);

	lab_print_edges(live->session, live->arguments->binary, !live->arguments->source->is_sparse,
			stdout);
	stats.feed = live->feed->stats;
	lab_print_counters(&stats, stderr);
	fprintf(stderr, "written %" PRIu64 "\nwake_ups %" PRIu64 "\n", live->written,
		live->wake_ups);
	if (live->pieces)
		fprintf(stderr, "pieces %" PRIu64 "\n", live->pieces);
	if (live->stopped)
		fprintf(stderr, "while_stopped %" PRIu64 "\n", live->stopped);
	fprintf(stderr, "rounds_of_rings %" PRIu64 "\n",
		live->bytes_written / ring_bytes_of(live, false));
	if (aux_bytes)
		fprintf(stderr, "rounds_of_areas %" PRIu64 "\n",
			live->aux_bytes_written / aux_bytes);
}

static void finish_keeping(struct lab_live *live)
{
	struct pgb_error error = {0};

	if (live->writer &&
	    pgb_perfdata_writer_finish(live->writer, pgb_session_addrspace(live->session), "live",
				       &error) < 0)
		die(live->arguments->keep, error.message);
}

/* ---- arguments */

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static const struct {
	const char *name;
	enum fake_machine machine;
} machines[] = {
	{"skylake", FAKE_SKYLAKE}, {"zen2", FAKE_ZEN2},		{"zen3", FAKE_ZEN3},
	{"zen4", FAKE_ZEN4},	   {"neoverse", FAKE_NEOVERSE},
};

static enum fake_machine machine_of(const char *name)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (strcmp(name, machines[i].name) == 0)
			return machines[i].machine;
	usage();
}

static enum fake_machine default_machine(const struct pgb_source *source)
{
	if (source == &pgb_source_spe)
		return FAKE_NEOVERSE;
	return source == &pgb_source_ibs ? FAKE_ZEN2 : FAKE_SKYLAKE;
}

static void parse(struct arguments *arguments, int argc, char **argv)
{
	enum { MACHINE = 256, ALL, KEEP, NUMBER };
	static const struct option options[] = {
		{"machine", required_argument, NULL, MACHINE},
		{"all-processes", no_argument, NULL, ALL},
		{"keep", required_argument, NULL, KEEP},
		{"ring-pages", required_argument, NULL, NUMBER},
		{"aux-pages", required_argument, NULL, NUMBER + 1},
		{"stretch", required_argument, NULL, NUMBER + 2},
		{"stay", required_argument, NULL, NUMBER + 3},
		{"every", required_argument, NULL, NUMBER + 4},
		{"take", required_argument, NULL, NUMBER + 5},
		{"throttle", required_argument, NULL, NUMBER + 6},
		{NULL, 0, NULL, 0},
	};
	uint64_t *numbers[] = {&arguments->ring_pages, &arguments->aux_pages, &arguments->stretch,
			       &arguments->stay,       &arguments->every,     &arguments->take,
			       &arguments->throttle};
	const char *machine = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == MACHINE)
			machine = optarg;
		else if (option == ALL)
			arguments->all_processes = true;
		else if (option == KEEP)
			arguments->keep = optarg;
		else if (option >= NUMBER)
			*numbers[option - NUMBER] = strtoull(optarg, NULL, 0);
		else
			usage();
	}
	if (argc - optind != 3 || arguments->stretch == 0 || arguments->stay == 0)
		usage();
	arguments->source = pgb_source_find(argv[optind]);
	arguments->binary = argv[optind + 1];
	arguments->recording = argv[optind + 2];
	if (arguments->source == NULL || arguments->source->open)
		usage();
	arguments->machine = machine ? machine_of(machine) : default_machine(arguments->source);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.stretch = 1000, .stay = 64};
	struct lab_live live;
	int status;

	parse(&arguments, argc, argv);
	open_all(&live, &arguments);
	run(&live);
	status = compare(&live);
	print(&live);
	finish_keeping(&live);
	close_all(&live);
	return status;
}
