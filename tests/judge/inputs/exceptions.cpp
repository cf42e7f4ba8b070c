// SPDX-License-Identifier: MIT
// Unnamed namespaces, virtual functions, templates, exceptions and a jump table.
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {
int checked(int value)
{
	if (value > 3)
		throw std::runtime_error("too large");
	return value;
}

struct base {
	virtual ~base() {}
	virtual int apply(int value) { return value; }
};

struct derived : base {
	int apply(int value) override { return value * 2; }
};
}

template <class type> type doubled(type value)
{
	return value + value;
}

int choose(int value)
{
	switch (value) {
	case 0:
		return 5;
	case 1:
		return checked(value);
	case 2:
		std::cout << "two";
		return 9;
	case 3:
		return doubled(value);
	case 4:
		return 77;
	case 5:
		return checked(9);
	case 6:
		return -1;
	}
	return 0;
}

int main(int count, char **)
{
	std::map<std::string, int> numbers;
	std::vector<int> chosen;

	for (int i = 0; i < count + 3; i++) {
		numbers[std::to_string(i)] = doubled(i);
		chosen.push_back(choose(i % 5)); /* 5 throws: below */
	}
	try {
		chosen.push_back(choose(5));
	} catch (std::exception &error) {
		std::cout << error.what() << numbers.size() << "\n";
	}
	base *object = count > 1 ? new base : new derived;
	int result = object->apply(count);
	delete object;
	return result;
}
