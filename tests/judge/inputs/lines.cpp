/* SPDX-License-Identifier: MIT */
/* What a sample profile must tell apart: inlined functions in inlined functions, several blocks in
 * one line, unrolled loops, recursion, calls through pointers, static functions of one name. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

extern "C" long lines_other(long value);

namespace
{
struct Shape {
	virtual ~Shape() {}
	virtual long area(long scale) const = 0;
};

struct Square : Shape {
	long side;
	explicit Square(long side) : side(side) {}
	long area(long scale) const override { return side * side * scale; }
};

struct Circle : Shape {
	long radius;
	explicit Circle(long radius) : radius(radius) {}
	long area(long scale) const override { return scale > 3 ? radius * radius * 3 : 0; }
};

template <typename Number> inline Number clamp(Number value, Number low, Number high)
{
	return value < low ? low : value > high ? high : value;
}
} // namespace

/* three blocks in one line */
static inline long step(long value)
{
	return value % 7 == 3 ? lines_other(value) : value & 1 ? 3 * value + 1 : value / 2;
}

static long helper(long value)
{
	long sum = 0;

	for (int i = 0; i < 4; i++)
		sum += clamp(step(value + i), 0L, 1000L);
	return sum;
}

__attribute__((noinline)) static long tree(long depth)
{
	if (depth <= 1)
		return 1;
	return tree(depth - 1) + tree(depth - 2);
}

__attribute__((noinline)) long switched(const std::string &word)
{
	long sum = 0;

	for (char letter : word)
		switch (letter) {
		case 'a': sum += 1; break;
		case 'b': sum ^= 2; break;
		case 'c': sum *= 3; break;
		case 'd': sum -= helper(sum); break;
		case 'e': sum |= 5; break;
		default: sum++;
		}
	return sum;
}

int main(int count, char **arguments)
{
	std::map<std::string, long> words;
	std::vector<Shape *> shapes;
	std::vector<long> numbers(2000);
	long sum = 0;

	for (long i = 0; i < 300; i++) {
		words[std::string("a bed c") + arguments[0][0] + std::to_string(i % 13)] += i;
		if (i % 3)
			shapes.push_back(new Square(i));
		else
			shapes.push_back(new Circle(i));
	}
	for (size_t i = 0; i < numbers.size(); i++)
		numbers[i] = (long)(i * 7919 % 2003);
	std::sort(numbers.begin(), numbers.end(), [](long a, long b) { return helper(a) < helper(b); });
	for (Shape *shape : shapes)
		sum += shape->area(count);
	for (auto &word : words)
		sum += switched(word.first) + word.second;
	for (long number : numbers)
		sum += number ^ sum;
	printf("%ld %ld\n", sum, tree(12));
	for (Shape *shape : shapes)
		delete shape;
	return 0;
}
