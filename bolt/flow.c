/* SPDX-License-Identifier: MIT */
#include "pgobolt/bolt/flow.h"

#include <string.h>

#include "pgobolt/base/alloc.h"

/* What one more use of an unseen arc of exposure 1 costs. */
#define UNIT	      PGB_FLOW_WEIGHT
#define COST_MOST     (INT64_C(1) << 44)
#define COUNT_MOST    (UINT64_C(1) << 46)
#define BEST_MOST     (UINT64_C(1) << 42)
#define EXPOSURE_MOST (UINT64_C(1) << 40)
#define PRICE_MOST    (INT64_C(1) << 61)
#define NO_NODE	      UINT32_MAX
/* No flow is larger than so many times the largest count. */
#define CEILING_BESTS 16

/* Where the cost of an arc bends: so many quarters of a standard deviation off its count. */
static const uint16_t bends[] = {0,  1,	 2,  3,	 4,  5,	 6,  8,	 10,  12,  14,	16,  20,   24,
				 28, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 512, 1024, 4096};
#define BENDS ((int)(sizeof(bends) / sizeof(bends[0])))

/* An arc between two bends of its cost. */
struct edge {
	int64_t best, deviation; /* in flow */
	int64_t exposure, count, price;
	int64_t room_up, room_down; /* as far as the cost is linear */
	int64_t cost_up, cost_down; /* of one more, and what one less saves */
	int bend;		    /* flow is between this one and the next */
	int64_t ceiling;	    /* no flow of this function is larger */
};

struct solver {
	struct pgb_flow_arc *arcs;
	struct edge *edges;
	size_t arc_count, node_count;
	uint32_t *first, *incident; /* arcs at each node: arc * 2, and 1 where it is the head */
	uint32_t *current;	    /* of them, where to go on looking */
	int64_t *excess, *potential;
	uint32_t *queue; /* nodes with an excess */
	bool *queued;
	size_t queue_head, queue_length;
	uint64_t steps_left;
};

/* ---- costs */

static int64_t bend_at(const struct edge *edge, int bend)
{
	int64_t distance;

	if (bend >= BENDS)
		return edge->ceiling;
	if (bend <= 1 - BENDS)
		return 0;
	distance = edge->deviation * bends[bend < 0 ? -bend : bend] / 4;
	if (bend >= 0)
		return edge->best + distance < edge->ceiling ? edge->best + distance
							     : edge->ceiling;
	return edge->best > distance ? edge->best - distance : 0;
}

/* The derivative of exposure * x - count * log(x), in the middle between two bends. */
static int64_t slope(const struct edge *edge, int bend)
{
	int64_t low = bend_at(edge, bend), high = bend_at(edge, bend + 1), middle, cost;

	if (edge->count == 0)
		return edge->exposure + edge->price;
	middle = bend == BENDS - 1 ? 2 * low + 1 : (low + high) / 2;
	cost = edge->count * PGB_FLOW_SCALE / (middle > 0 ? middle : 1);
	if (cost > COST_MOST)
		cost = COST_MOST;
	return edge->exposure - cost + edge->price;
}

/* The flow changed: where is it now? */
static void place(struct edge *edge, int64_t flow)
{
	int above, below;

	if (edge->count == 0) {
		edge->room_up = edge->ceiling - flow;
		edge->room_down = flow;
		edge->cost_up = edge->cost_down = slope(edge, 0);
		return;
	}
	while (edge->bend < BENDS - 1 && flow > bend_at(edge, edge->bend + 1))
		edge->bend++;
	while (edge->bend > 1 - BENDS && flow < bend_at(edge, edge->bend))
		edge->bend--;
	above = below = edge->bend;
	while (above < BENDS - 1 && flow >= bend_at(edge, above + 1))
		above++;
	while (below > 1 - BENDS && flow <= bend_at(edge, below))
		below--;
	edge->room_up = bend_at(edge, above + 1) - flow;
	edge->cost_up = slope(edge, above);
	edge->room_down = flow - bend_at(edge, below);
	edge->cost_down = slope(edge, below);
}

static int64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= value)
			root += bit;
	return (int64_t)root;
}

static int64_t best_of(const struct pgb_flow_arc *arc)
{
	uint64_t count = arc->count < COUNT_MOST ? arc->count : COUNT_MOST;

	uint64_t best = arc->exposure > 0 ? count * PGB_FLOW_SCALE / arc->exposure : 0;

	return (int64_t)(best < BEST_MOST ? best : BEST_MOST);
}

static void start_edge(struct edge *edge, struct pgb_flow_arc *arc, int64_t ceiling)
{
	uint64_t count = arc->count < COUNT_MOST ? arc->count : COUNT_MOST;

	*edge = (struct edge){
		.exposure =
			(int64_t)(arc->exposure < EXPOSURE_MOST ? arc->exposure : EXPOSURE_MOST),
		.price = (int64_t)arc->price,
		.ceiling = ceiling,
	};
	arc->flow = 0;
	if (arc->exposure > 0 && count > 0) {
		edge->count = (int64_t)count;
		edge->best = best_of(arc);
		/* best / sqrt(count / WEIGHT), without losing small ones */
		edge->deviation = edge->best * 256 / (square_root(count) + 1) + 4;
		arc->flow = edge->best;
	}
	place(edge, arc->flow);
}

/* ---- the graph */

static void connect(struct solver *solver)
{
	for (size_t i = 0; i < solver->arc_count; i++) {
		solver->first[solver->arcs[i].tail + 1]++;
		solver->first[solver->arcs[i].head + 1]++;
	}
	for (size_t i = 0; i < solver->node_count; i++)
		solver->first[i + 1] += solver->first[i];
	memcpy(solver->current, solver->first, solver->node_count * sizeof(*solver->current));
	for (size_t i = 0; i < solver->arc_count; i++) {
		const struct pgb_flow_arc *arc = &solver->arcs[i];

		solver->incident[solver->current[arc->tail]++] = (uint32_t)(i * 2);
		solver->incident[solver->current[arc->head]++] = (uint32_t)(i * 2 + 1);
	}
}

static void enqueue(struct solver *solver, uint32_t node)
{
	size_t at = solver->queue_head + solver->queue_length;

	if (solver->queued[node] || solver->excess[node] <= 0)
		return;
	solver->queued[node] = true;
	solver->queue[at >= solver->node_count ? at - solver->node_count : at] = node;
	solver->queue_length++;
}

static uint32_t dequeue(struct solver *solver)
{
	uint32_t node;

	if (solver->queue_length == 0)
		return NO_NODE;
	node = solver->queue[solver->queue_head];
	solver->queue_head =
		solver->queue_head + 1 == solver->node_count ? 0 : solver->queue_head + 1;
	solver->queue_length--;
	solver->queued[node] = false;
	return node;
}

static void move(struct solver *solver, size_t arc_index, int64_t amount)
{
	struct pgb_flow_arc *arc = &solver->arcs[arc_index];

	arc->flow += amount;
	solver->excess[arc->tail] -= amount;
	solver->excess[arc->head] += amount;
	place(&solver->edges[arc_index], arc->flow);
}

/* Every arc to where its cost suits the potentials of its ends. */
static void saturate(struct solver *solver, int64_t epsilon)
{
	for (size_t i = 0; i < solver->arc_count; i++) {
		const struct pgb_flow_arc *arc = &solver->arcs[i];
		const struct edge *edge = &solver->edges[i];
		int64_t gain = solver->potential[arc->tail] - solver->potential[arc->head];

		if (arc->tail == arc->head)
			continue;
		while (edge->room_up > 0 && edge->cost_up + gain < -epsilon)
			move(solver, i, edge->room_up);
		while (edge->room_down > 0 && edge->cost_down + gain > epsilon)
			move(solver, i, -edge->room_down);
	}
}

/* ---- push and relabel */

/* What is left of the arc's linear part seen from `node`, and its cost less potentials. */
static int64_t residue(const struct solver *solver, uint32_t incident, int64_t *cost)
{
	const struct pgb_flow_arc *arc = &solver->arcs[incident / 2];
	const struct edge *edge = &solver->edges[incident / 2];
	int64_t gain = solver->potential[arc->tail] - solver->potential[arc->head];

	if (arc->tail == arc->head)
		return 0;
	if (incident % 2 == 0) {
		*cost = edge->cost_up + gain;
		return edge->room_up;
	}
	*cost = -edge->cost_down - gain;
	return edge->room_down;
}

static void relabel(struct solver *solver, uint32_t node, int64_t epsilon)
{
	int64_t least = INT64_MAX, cost;

	for (uint32_t at = solver->first[node]; at < solver->first[node + 1]; at++)
		if (residue(solver, solver->incident[at], &cost) > 0 && cost < least)
			least = cost;
	solver->steps_left -= solver->first[node + 1] - solver->first[node] <= solver->steps_left
				      ? solver->first[node + 1] - solver->first[node]
				      : solver->steps_left;
	solver->potential[node] -= least + epsilon;
	if (solver->potential[node] < -PRICE_MOST)
		solver->steps_left = 0;
	solver->current[node] = solver->first[node];
}

static void discharge(struct solver *solver, uint32_t node, int64_t epsilon)
{
	while (solver->excess[node] > 0 && solver->steps_left > 0) {
		uint32_t incident = solver->incident[solver->current[node]];
		const struct pgb_flow_arc *arc = &solver->arcs[incident / 2];
		int64_t cost = 0, room = residue(solver, incident, &cost);

		solver->steps_left--;
		if (room > 0 && cost < 0) {
			int64_t amount = room < solver->excess[node] ? room : solver->excess[node];

			move(solver, incident / 2, incident % 2 ? -amount : amount);
			enqueue(solver, incident % 2 ? arc->tail : arc->head);
		} else if (++solver->current[node] == solver->first[node + 1]) {
			relabel(solver, node, epsilon);
		}
	}
}

/* A flow that conserves and costs at most `epsilon` a step more than the best. */
static bool refine(struct solver *solver, int64_t epsilon)
{
	uint32_t node;

	saturate(solver, epsilon);
	memcpy(solver->current, solver->first, solver->node_count * sizeof(*solver->current));
	for (size_t i = 0; i < solver->node_count; i++)
		enqueue(solver, (uint32_t)i);
	while ((node = dequeue(solver)) != NO_NODE && solver->steps_left > 0)
		discharge(solver, node, epsilon);
	return solver->steps_left > 0;
}

static void release(struct solver *solver)
{
	free(solver->edges);
	free(solver->first);
	free(solver->incident);
	free(solver->current);
	free(solver->excess);
	free(solver->potential);
	free(solver->queue);
	free(solver->queued);
}

bool pgb_flow_solve(struct pgb_flow_arc *arcs, size_t arc_count, size_t node_count,
		    uint64_t steps_most)
{
	struct solver solver = {.arcs = arcs,
				.arc_count = arc_count,
				.node_count = node_count,
				.steps_left = steps_most};
	int64_t ceiling = PGB_FLOW_SCALE;
	bool solved = true;

	pgb_assert(arc_count < UINT32_MAX / 2 && node_count < UINT32_MAX);
	solver.edges = pgb_calloc(arc_count, sizeof(*solver.edges));
	solver.first = pgb_calloc(node_count + 1, sizeof(*solver.first));
	solver.incident = pgb_calloc(arc_count * 2, sizeof(*solver.incident));
	solver.current = pgb_calloc(node_count, sizeof(*solver.current));
	solver.excess = pgb_calloc(node_count, sizeof(*solver.excess));
	solver.potential = pgb_calloc(node_count, sizeof(*solver.potential));
	solver.queue = pgb_calloc(node_count, sizeof(*solver.queue));
	solver.queued = pgb_calloc(node_count, sizeof(*solver.queued));
	connect(&solver);
	for (size_t i = 0; i < arc_count; i++)
		ceiling = best_of(&arcs[i]) > ceiling ? best_of(&arcs[i]) : ceiling;
	for (size_t i = 0; i < arc_count; i++) {
		pgb_assert(arcs[i].tail < node_count && arcs[i].head < node_count);
		start_edge(&solver.edges[i], &arcs[i], ceiling * CEILING_BESTS);
		solver.excess[arcs[i].tail] -= arcs[i].flow;
		solver.excess[arcs[i].head] += arcs[i].flow;
	}
	for (int64_t epsilon = 4 * UNIT; epsilon >= 1 && solved; epsilon /= 8)
		solved = refine(&solver, epsilon);
	release(&solver);
	return solved;
}
