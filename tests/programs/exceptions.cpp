/* SPDX-License-Identifier: MIT */
/* Exceptions through several frames, virtual calls, destructors on the way. Prints a checksum. */
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Counter {
	explicit Counter(unsigned long &alive) : alive(alive) { alive++; }
	~Counter() { alive--; }
	unsigned long &alive;
};

struct Shape {
	virtual ~Shape() = default;
	virtual unsigned long area(unsigned long scale) const = 0;
};

struct Square : Shape {
	unsigned long area(unsigned long scale) const override
	{
		if (scale % 13 == 5)
			throw std::out_of_range("square " + std::to_string(scale));
		return scale * scale;
	}
};

struct Circle : Shape {
	unsigned long area(unsigned long scale) const override
	{
		if (scale % 17 == 3)
			throw scale;
		return scale * scale * 355 / 113;
	}
};

unsigned long alive;

unsigned long measure(const Shape &shape, unsigned long scale)
{
	Counter counter(alive);
	std::string name = "shape of a size that does not fit a short string " + std::to_string(scale);

	return shape.area(scale) + name.size();
}

unsigned long attempt(const Shape &shape, unsigned long scale, std::map<std::string, int> &errors)
{
	Counter counter(alive);

	try {
		return measure(shape, scale);
	} catch (const std::out_of_range &error) {
		errors[error.what()]++;
		return 1;
	}
}

} // namespace

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200000;
	std::map<std::string, int> errors;
	unsigned long sum = 0, thrown = 0;
	Square square;
	Circle circle;

	for (unsigned long i = 0; i < rounds; i++) {
		const Shape &shape = i % 3 ? static_cast<const Shape &>(square) : circle;

		try {
			sum = sum * 31 + attempt(shape, i % 1000, errors);
		} catch (unsigned long scale) {
			thrown++;
			sum ^= scale;
		}
	}
	std::printf("sum %016lx, %lu thrown, %zu kinds, %lu alive\n", sum, thrown, errors.size(),
		    alive);
	return alive == 0 ? 0 : 1;
}
