/* Unit tests as plain programs: each TEST prints what it compared when it fails, both sides and the place. Output is
 * TAP-like; the exit code counts. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int t_failures, t_tests;
static bool t_this_failed;

#define T_FAIL(...)                                                                                                    \
    do {                                                                                                               \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                                \
        fprintf(stderr, __VA_ARGS__);                                                                                  \
        fputc('\n', stderr);                                                                                           \
        t_this_failed = true;                                                                                          \
    } while (0)

#define T_TRUE(cond)                                                                                                   \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            T_FAIL("not true: %s", #cond);                                                                             \
    } while (0)

#define T_INT(got, want)                                                                                               \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_)                                                                                             \
            T_FAIL("%s: got %lld, want %lld", #got, got_, want_);                                                      \
    } while (0)

/* NULL equals only NULL. */
#define T_STR(got, want)                                                                                               \
    do {                                                                                                               \
        const char *got_ = (got), *want_ = (want);                                                                     \
        if (got_ != want_ && (!got_ || !want_ || strcmp(got_, want_) != 0))                                            \
            T_FAIL("%s:\n   got  %s\n   want %s", #got, got_ ? got_ : "(null)", want_ ? want_ : "(null)");             \
    } while (0)

/* Compares documents, not text; want is JSON text. */
#define T_JSON(got, want)                                                                                              \
    do {                                                                                                               \
        json_t *got_ = (json_t *)(got), *want_ = json_loads((want), JSON_DECODE_ANY, NULL);                            \
        if (!want_)                                                                                                    \
            T_FAIL("bad JSON in test: %s", (want));                                                                    \
        else if (!got_ || !json_equal(got_, want_)) {                                                                  \
            char *g = got_ ? json_dumps(got_, JSON_ENCODE_ANY | JSON_SORT_KEYS) : strdup("(null)");                    \
            char *w = json_dumps(want_, JSON_ENCODE_ANY | JSON_SORT_KEYS);                                             \
            T_FAIL("%s:\n   got  %s\n   want %s", #got, g, w);                                                         \
            free(g);                                                                                                   \
            free(w);                                                                                                   \
        }                                                                                                              \
        json_decref(want_);                                                                                            \
    } while (0)

#define TEST(name) static void name(void)
#define RUN(name)                                                                                                      \
    do {                                                                                                               \
        t_this_failed = false;                                                                                         \
        name();                                                                                                        \
        t_tests++;                                                                                                     \
        t_failures += t_this_failed;                                                                                   \
        printf("%s %d - %s\n", t_this_failed ? "not ok" : "ok", t_tests, #name);                                       \
    } while (0)
#define DONE() (printf("1..%d\n", t_tests), t_failures ? 1 : 0)
