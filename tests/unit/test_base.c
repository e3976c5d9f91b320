/* base: buffers, maps, text, numbers, time. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "t.h"

TEST(buffers_stop_at_their_maximum)
{
    struct buf b = BUF_INIT(8);
    buf_adds(&b, "12345");
    buf_addf(&b, "%d", 6789);
    T_TRUE(b.overflowed);
    T_STR(buf_str(&b), "12345");
    buf_clear(&b);
    buf_addf(&b, "%s-%d", "ab", 12);
    T_STR(buf_str(&b), "ab-12");
    buf_drop_front(&b, 3);
    T_STR(buf_str(&b), "12");
    buf_done(&b);
}

TEST(map_behaves_like_a_naive_array)
{
    struct map m = {0};
    bool there[500] = {0};
    static char value[500];
    size_t living = 0;
    srand(7);
    for (int step = 0; step < 20000; step++) {
        int n = rand() % 500;
        char key[16];
        snprintf(key, sizeof(key), "key-%d", n);
        if (rand() % 2) {
            T_TRUE((map_put(&m, key, &value[n]) != NULL) == there[n]);
            living += !there[n];
            there[n] = true;
        } else {
            T_TRUE((map_del(&m, key) != NULL) == there[n]);
            living -= there[n];
            there[n] = false;
        }
        T_TRUE(map_get(&m, key) == (there[n] ? &value[n] : NULL));
    }
    T_INT(m.len, living);
    size_t seen = 0;
    for (struct map_entry *e = NULL; (e = map_next(&m, e)); seen++)
        T_TRUE(there[(char *)e->value - value]);
    T_INT(seen, living);
    map_done(&m);
}

TEST(numbers_are_read_whole_or_not)
{
    int64_t v = 42;
    T_TRUE(!str_to_i64("", 0, 10, &v) && !str_to_i64("-", -10, 10, &v) && !str_to_i64("1x", 0, 10, &v));
    T_TRUE(!str_to_i64("11", 0, 10, &v) && !str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &v));
    T_INT(v, 42);
    T_TRUE(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
    T_TRUE(str_to_i64("007", 0, 10, &v) && v == 7);
}

TEST(base64_round_trips_and_is_strict)
{
    size_t len;
    for (size_t n = 0; n < 5; n++) {
        _cleanup_free_ char *text = base64_encode("abcd", n);
        _cleanup_free_ char *back = base64_decode(text, strlen(text), &len);
        T_TRUE(back && len == n && memcmp(back, "abcd", n) == 0);
    }
    T_TRUE(!base64_decode("abc", 3, &len) && !base64_decode("ab=c", 4, &len) && !base64_decode("a b=", 4, &len));
}

TEST(splitting_keeps_empty_parts)
{
    size_t n;
    _cleanup_free_ char **parts = str_split("a//b", '/', &n);
    T_INT(n, 3);
    T_STR(parts[1], "");
    T_STR(parts[2], "b");
    T_TRUE(!parts[3]);
}

TEST(times)
{
    char out[TIME_TEXT_SIZE];
    int64_t t;
    T_TRUE(time_parse("2026-11-20T10:00:00.25+01:00", &t));
    T_STR(time_format(t, out), "2026-11-20T09:00:00Z");
    T_STR(time_format_micro(t, out), "2026-11-20T09:00:00.250000Z");
    T_TRUE(!time_parse("2026-11-20", &t) && !time_parse("2026-13-20T10:00:00Z", &t) && !time_parse("", &t));
    T_TRUE(!time_parse("2026-02-31T00:00:00Z", &t) && !time_parse("0000-01-01T00:00:00+01:00", &t));
    T_TRUE(time_parse("0045-01-01T00:00:00Z", &t));
    T_STR(time_format(t, out), "0045-01-01T00:00:00Z");
    static const struct {
        int secs;
        const char *text;
    } ages[] = {{5, "5s"},        {119, "119s"},   {130, "2m10s"},        {599, "9m59s"},
                {660, "11m"},     {10800, "3h"},   {11000, "3h3m"},       {90000, "25h"},
                {180000, "2d2h"}, {864000, "10d"}, {86400 * 800, "2y70d"}};
    for (size_t i = 0; i < ARRAY_LEN(ages); i++)
        T_STR(time_human_duration(ages[i].secs * 1000000LL, out), ages[i].text);
}

TEST(safe_encoding_is_upstreams)
{
    char out[16];
    rand_safe_encode("123", out); /* '1' is 49: 49 % 27 = 22 */
    T_STR(out, "567");
}

TEST(durations_as_go_writes_them)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } cases[] = {{"8760h", 31536000}, {"1h30m", 5400}, {"90s", 90},  {"1h0m1s", 3601},       {"0s", 0},  {"", -1},
                 {"5", -1},           {"h", -1},       {"1m1h", -1}, {"1h1h", -1},           {"1d", -1}, {"-1h", -1},
                 {"1.5h", -1},        {"1 h", -1},     {"s1", -1},   {"99999999999999h", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t seconds = -1;
        T_INT(time_parse_duration(cases[i].text, &seconds), cases[i].seconds >= 0);
        T_INT(seconds, cases[i].seconds);
    }
}

int main(void)
{
    RUN(buffers_stop_at_their_maximum);
    RUN(map_behaves_like_a_naive_array);
    RUN(numbers_are_read_whole_or_not);
    RUN(base64_round_trips_and_is_strict);
    RUN(splitting_keeps_empty_parts);
    RUN(times);
    RUN(safe_encoding_is_upstreams);
    RUN(durations_as_go_writes_them);
    return DONE();
}
