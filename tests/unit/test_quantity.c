/* base/quantity.h: reading, canonical text, rounding. */
#include "base/alloc.h"
#include "base/quantity.h"
#include "t.h"

TEST(canonical_text_is_upstreams)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"0", "0"},
        {"0Ki", "0"},
        {"-0", "0"},
        {"100m", "100m"},
        {"0.1", "100m"},
        {".5", "500m"},
        {"1.", "1"},
        {"+1", "1"},
        {"1000m", "1"},
        {"1500m", "1500m"},
        {"2.5", "2500m"},
        {"1000", "1k"},
        {"1024", "1024"},
        {"1Ki", "1Ki"},
        {"0.5Ki", "512"},
        {"1.5Gi", "1536Mi"},
        {"1024Mi", "1Gi"},
        {"0.5Gi", "512Mi"},
        {"128974848", "128974848"},
        {"129e6", "129e6"},
        {"129M", "129M"},
        {"1e3", "1e3"},
        {"1E3", "1e3"},
        {"1e-3", "1e-3"},
        {"12e6", "12e6"},
        {"1e+2", "100"},
        {"1E", "1E"},
        {"1000E", "1000E"},
        {"1e21", "1e21"},
        {"1n", "1n"},
        {"0.1n", "1n"},
        {"-0.1n", "-1n"},
        {"1e-30", "1e-9"},
        {"0.0001Ki", "102400u"},
        {"1.1Ki", "1126400m"},
        {"9Ei", "9223372036854775807"},
        {"8Ei", "9223372036854775807"},
        {"7Ei", "7Ei"},
        {"-1Gi", "-1Gi"},
        {"1000000u", "1"},
        {"123456789n", "123456789n"},
        {"00012", "12"},
        {"100000000000000000000000000000000", "100000000000E"},
        {"1e100000", "100e27"},
        {"0e99999", "0"},
        {"0.000000000000000000000000000001Ei", "1n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct quantity q;
        char out[QUANTITY_TEXT_SIZE];
        if (quantity_parse(rows[i].in, &q))
            T_STR(quantity_format_text(&q, out), rows[i].out);
        else
            T_FAIL("%s is refused", rows[i].in);
    }
}

TEST(other_text_is_refused)
{
    static const char *const rows[] = {"",      ".",    "Ki",    "1 Gi", "1gi", "1KiB", "e3",  "1e",    "1e3.5", "--1",
                                       "1.2.3", "0x10", "1e+-3", "1mi",  "1K",  "one",  "1,5", "1e1e1", " 1",    "1 "};
    struct quantity q;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (quantity_parse(rows[i], &q))
            T_FAIL("\"%s\" is taken", rows[i]);
}

TEST(units_round_away_from_zero_and_saturate)
{
    static const struct {
        const char *in;
        int64_t value, milli;
    } rows[] = {
        {"100m", 1, 100},       {"1500m", 2, 1500}, {"-1500m", -2, -1500},          {"1n", 1, 1},
        {"2Ki", 2048, 2048000}, {"0", 0, 0},        {"1e25", INT64_MAX, INT64_MAX}, {"-1e25", INT64_MIN, INT64_MIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct quantity q;
        T_TRUE(quantity_parse(rows[i].in, &q));
        T_INT(quantity_value(&q), rows[i].value);
        T_INT(quantity_milli(&q), rows[i].milli);
    }
}

TEST(what_is_printed_reads_back_the_same)
{
    srand(11);
    for (int i = 0; i < 50000; i++) {
        struct quantity q = {.format = rand() % 3}, back;
        int64_t r = ((int64_t)rand() << 31 | rand()) >> (rand() % 62);
        q.nano = (quantity_nano)r * (q.format == QUANTITY_BINARY_SI ? 1000000000 : 1);
        q.nano = rand() % 2 ? q.nano : -q.nano;
        char out[QUANTITY_TEXT_SIZE];
        quantity_format_text(&q, out);
        if (!quantity_parse(out, &back) || back.nano != q.nano)
            T_FAIL("%s reads back as something else", out);
    }
}

int main(void)
{
    RUN(canonical_text_is_upstreams);
    RUN(other_text_is_refused);
    RUN(units_round_away_from_zero_and_saturate);
    RUN(what_is_printed_reads_back_the_same);
    return DONE();
}
