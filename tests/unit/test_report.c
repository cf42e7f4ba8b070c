/* SPDX-License-Identifier: MIT */
/* What is put into a page is text, whatever it holds. tests/cli/report.sh looks at whole pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgo/report_private.h"

static void test_escaping(void **state)
{
	static const struct {
		const char *text, *html, *markdown;
		int line;
	} rows[] = {
		{"", "", "", __LINE__},
		{"plain text.", "plain text.", "plain text.", __LINE__},
		{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;", "a&lt;b&gt;&amp;&quot;&#39;", __LINE__},
		{"a|b`c*", "a|b`c*", "a\\|b\\`c\\*", __LINE__},
		{"a_b _c_", "a_b _c_", "a_b \\_c\\_", __LINE__},
		{"[x](y)!", "[x](y)!", "\\[x\\]\\(y\\)\\!", __LINE__},
		{"1\n2\t3", "1 2 3", "1 2 3", __LINE__},
		{"\033[1m\x7f", "?[1m?", "?\\[1m?", __LINE__},
		{"\xc3\xa4 \xe2\x86\x92", "\xc3\xa4 \xe2\x86\x92", "\xc3\xa4 \xe2\x86\x92",
		 __LINE__},
		/* overlong, a surrogate, C1, a lone byte, cut */
		{"\xc0\xbc", "??", "??", __LINE__},
		{"\xed\xa0\x80", "???", "???", __LINE__},
		{"\xc2\x85", "??", "??", __LINE__},
		{"\xff", "?", "?", __LINE__},
		{"\xe2\x86", "??", "??", __LINE__},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pgb_page html = {0}, markdown = {.markdown = true};

		pgb_page_add(&html, "%s", rows[i].text);
		pgb_page_add(&markdown, "%s", rows[i].text);
		if (strcmp(pgb_text_string(&html.text), rows[i].html) != 0 ||
		    strcmp(pgb_text_string(&markdown.text), rows[i].markdown) != 0)
			fail_msg("line %d: '%s' and '%s'", rows[i].line,
				 pgb_text_string(&html.text), pgb_text_string(&markdown.text));
		pgb_text_release(&html.text);
		pgb_text_release(&markdown.text);
	}
}

static void test_conversions(void **state)
{
	struct pgb_page page = {0};

	(void)state;
	pgb_page_add(&page, "<b>%d %5.2f%% %zu %lx %c %+.1f %s|", -3, 1.5, (size_t)7, 255ul, '<',
		     0.25, "&");
	assert_string_equal(page.text.data, "<b>-3  1.50% 7 ff &lt; +0.2 &amp;|");
	page.text.length = 0;
	pgb_page_add(&page, "%.0f|%f|", 1e300, -1e300); /* cut, not overrun */
	assert_true(page.text.length < 160);
	pgb_text_release(&page.text);
}

static void test_code(void **state)
{
	struct pgb_page html = {0}, markdown = {.markdown = true};

	(void)state;
	pgb_page_add_code(&html, "a <b>\n\n```\n");
	assert_string_equal(html.text.data, "<pre><code>a &lt;b&gt;\n\n```\n</code></pre>\n");
	pgb_page_add_code(&markdown, "a <b>\n\n```\033\n");
	assert_string_equal(markdown.text.data, "\n    a <b>\n    \n    ```?\n\n");
	pgb_text_release(&html.text);
	pgb_text_release(&markdown.text);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_string_equal(pgb_report_grouped(0).text, "0");
	assert_string_equal(pgb_report_grouped(999).text, "999");
	assert_string_equal(pgb_report_grouped(1000).text, "1,000");
	assert_string_equal(pgb_report_grouped(UINT64_MAX).text, "18,446,744,073,709,551,615");
	assert_string_equal(pgb_report_change(100, 12, 0).text, "\xe2\x88\x92"
								"88%");
	assert_string_equal(pgb_report_change(4, 5, 1).text, "+25.0%");
	assert_string_equal(pgb_report_change(4, 4, 0).text, "0%");
	assert_string_equal(pgb_report_change(0, 4, 0).text, "");
	assert_int_equal(pgb_report_whole(-5), 0);
	assert_int_equal(pgb_report_whole(1e300), UINT64_C(1) << 53);
	assert_int_equal(pgb_report_heat(0), 0);
	assert_int_equal(pgb_report_heat(1e-9), 1);
	assert_int_equal(pgb_report_heat(0.01), 3);
	assert_int_equal(pgb_report_heat(1), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
