// SPDX-License-Identifier: MIT
// A mixed, deterministic C++ workload: virtual calls, maps, strings, sorting, closures, exceptions,
// a small expression interpreter. Usage: mixed [SCALE]. Prints a checksum.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

std::uint64_t seed = 12345;

std::uint64_t random_below(std::uint64_t bound)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % bound;
}

// ---- an expression tree

struct Node {
	virtual ~Node() = default;
	virtual long value(const std::vector<long> &variables) const = 0;
};

struct Constant : Node {
	explicit Constant(long number) : number(number) {}
	long value(const std::vector<long> &) const override { return number; }
	long number;
};

struct Variable : Node {
	explicit Variable(std::size_t index) : index(index) {}
	long value(const std::vector<long> &variables) const override { return variables[index]; }
	std::size_t index;
};

struct Operation : Node {
	Operation(char sign, std::unique_ptr<Node> left, std::unique_ptr<Node> right)
		: sign(sign), left(std::move(left)), right(std::move(right))
	{
	}
	long value(const std::vector<long> &variables) const override
	{
		long a = left->value(variables), b = right->value(variables);

		switch (sign) {
		case '+':
			return (a + b) % 1000003;
		case '-':
			return a - b;
		case '*':
			return a % 1009 * (b % 1009);
		case '<':
			return a < b;
		default:
			if (b == 0)
				throw std::domain_error("division");
			return a / b;
		}
	}
	char sign;
	std::unique_ptr<Node> left, right;
};

std::unique_ptr<Node> grow(int depth)
{
	if (depth == 0 || random_below(7) == 0) {
		if (random_below(2))
			return std::make_unique<Constant>(static_cast<long>(random_below(100)));
		return std::make_unique<Variable>(random_below(8));
	}
	char sign = "+-*</"[random_below(5)];
	std::unique_ptr<Node> left = grow(depth - 1), right = grow(depth - 1);

	return std::make_unique<Operation>(sign, std::move(left), std::move(right));
}

long expressions(int rounds)
{
	long sum = 0, failed = 0;

	for (int tree = 0; tree < 40; tree++) {
		std::unique_ptr<Node> root = grow(9);
		std::vector<long> variables(8);

		for (int round = 0; round < rounds; round++) {
			for (long &variable : variables)
				variable = static_cast<long>(random_below(50));
			try {
				sum += root->value(variables) % 65537;
			} catch (const std::domain_error &) {
				failed++;
			}
		}
	}
	return sum + failed;
}

// ---- containers and strings

long words(int count)
{
	std::unordered_map<std::string, long> counts;
	std::map<long, std::vector<std::string>> ranked;
	long sum = 0;

	for (int i = 0; i < count; i++) {
		std::string word = "w" + std::to_string(random_below(997) * random_below(3));

		if (word.size() > 3 && word.find('7') != std::string::npos)
			word.replace(0, 1, "seven-");
		counts[word]++;
	}
	for (const auto &[word, often] : counts)
		ranked[-often].push_back(word);
	for (auto &[often, list] : ranked) {
		std::sort(list.begin(), list.end());
		sum = (sum * 31 + often + static_cast<long>(list.front().size())) % 1000003;
	}
	return sum;
}

long sorting(std::size_t count)
{
	struct Item {
		int key;
		double weight;
		std::string name;
	};
	std::vector<Item> items;
	long sum = 0;

	for (std::size_t i = 0; i < count; i++)
		items.push_back({static_cast<int>(random_below(count / 3 + 1)),
				 static_cast<double>(random_below(1000)) / 7,
				 std::to_string(random_below(count))});
	std::sort(items.begin(), items.end(), [](const Item &a, const Item &b) {
		return a.key != b.key ? a.key < b.key : a.name < b.name;
	});
	std::stable_sort(items.begin(), items.end(),
			 [](const Item &a, const Item &b) { return a.weight < b.weight; });
	for (std::size_t i = 0; i < count; i += 17)
		sum = (sum * 33 + items[i].key) % 1000003;
	return sum;
}

// ---- events through closures, shortest ways through a grid

long events(int count)
{
	using Event = std::pair<long, std::function<long(long)>>;
	auto later = [](const Event &a, const Event &b) { return a.first > b.first; };
	std::priority_queue<Event, std::vector<Event>, decltype(later)> queue(later);
	long now = 0, state = 1;

	for (int i = 0; i < 64; i++)
		queue.emplace(i * 13 % 64, [i](long x) { return x * (i + 3) % 99991; });
	for (int i = 0; i < count; i++) {
		Event event = queue.top();

		queue.pop();
		now = event.first;
		state = event.second(state + now);
		if (state % 5 == 0)
			queue.emplace(now + 1 + state % 97,
				      [state](long x) { return (x ^ state) % 99991; });
		else
			queue.emplace(now + 1 + state % 31, event.second);
	}
	return state + now;
}

long grid(int size)
{
	std::vector<int> cost(static_cast<std::size_t>(size * size)), best(cost.size(), 1 << 29);
	std::priority_queue<std::pair<int, int>, std::vector<std::pair<int, int>>,
			    std::greater<>> open;

	for (int &at : cost)
		at = random_below(5) ? static_cast<int>(random_below(9)) + 1 : 1000;
	open.emplace(0, 0);
	best[0] = 0;
	while (!open.empty()) {
		auto [far, at] = open.top();

		open.pop();
		if (far > best[static_cast<std::size_t>(at)])
			continue;
		for (int step : {-1, 1, -size, size}) {
			int next = at + step;

			if (next < 0 || next >= size * size ||
			    (step * step == 1 && next / size != at / size))
				continue;
			if (far + cost[static_cast<std::size_t>(next)] <
			    best[static_cast<std::size_t>(next)]) {
				best[static_cast<std::size_t>(next)] =
					far + cost[static_cast<std::size_t>(next)];
				open.emplace(best[static_cast<std::size_t>(next)], next);
			}
		}
	}
	return best.back();
}

} // namespace

int main(int argc, char **argv)
{
	int scale = argc > 1 ? std::atoi(argv[1]) : 1;
	long sum = 0;

	for (int round = 0; round < scale; round++) {
		sum = (sum * 7 + expressions(60)) % 1000000007;
		sum = (sum * 7 + words(60000)) % 1000000007;
		sum = (sum * 7 + sorting(20000)) % 1000000007;
		sum = (sum * 7 + events(150000)) % 1000000007;
		sum = (sum * 7 + grid(220)) % 1000000007;
	}
	std::printf("%ld\n", sum);
	return 0;
}
