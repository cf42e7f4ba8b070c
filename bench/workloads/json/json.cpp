// SPDX-License-Identifier: MIT
// A deterministic workload for jsoncpp: documents are built, written, read again and changed; one
// in eight is broken and ends in an exception. Usage: json [ROUNDS]. Prints a checksum.
#include <json/json.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace {

uint64_t seed = 12345;

uint32_t next()
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return static_cast<uint32_t>(seed >> 33);
}

Json::Value make(int depth)
{
	Json::Value value;

	switch (next() % (depth > 0 ? 6 : 4)) {
	case 0:
		return Json::Value(static_cast<Json::UInt>(next()));
	case 1:
		return Json::Value(next() / 1000.0);
	case 2:
		return Json::Value(std::string(next() % 40, 'a') + "\"\n\xc3\xa4");
	case 3:
		return Json::Value(next() % 2 == 0);
	case 4:
		for (uint32_t i = 0, count = next() % 12; i < count; i++)
			value.append(make(depth - 1));
		return value;
	default:
		for (uint32_t i = 0, count = next() % 12; i < count; i++)
			value["key" + std::to_string(next() % 50)] = make(depth - 1);
		return value;
	}
}

Json::Value parse(const std::string &text)
{
	Json::CharReaderBuilder builder;
	std::istringstream stream(text);
	std::string errors;
	Json::Value value;

	if (!Json::parseFromStream(builder, stream, &value, &errors))
		throw std::runtime_error(errors);
	return value;
}

uint64_t visit(const Json::Value &value)
{
	uint64_t sum = value.type();

	if (value.isObject() || value.isArray())
		for (const Json::Value &item : value)
			sum = sum * 31 + visit(item);
	else if (value.isString())
		sum += value.asString().size();
	else
		sum += static_cast<uint64_t>(value.asInt64()); // throws for what is out of range
	return sum;
}

} // namespace

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? std::atoi(argv[1]) : 400;
	uint64_t sum = 0, thrown = 0;
	Json::StreamWriterBuilder writer;

	for (int i = 0; i < rounds; i++) {
		Json::Value document;

		for (int j = 0; j < 20; j++)
			document["item"].append(make(3));
		std::string text = Json::writeString(writer, document);
		if (i % 8 == 5)
			text[next() % text.size()] = '}';
		try {
			sum = sum * 31 + visit(parse(text));
		} catch (const std::exception &error) {
			thrown++;
			sum += std::string(error.what()).size();
		}
	}
	std::printf("%llu, %llu thrown\n", static_cast<unsigned long long>(sum),
		    static_cast<unsigned long long>(thrown));
	return 0;
}
