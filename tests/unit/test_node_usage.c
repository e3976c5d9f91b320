/* node/usage: what the kernel's files say, and rates out of it. */
#include "node/usage.h"
#include "t.h"

TEST(fields_are_found_at_the_start_of_a_line)
{
    static const char text[] = "anon 12\nfile 34\ninactive_file 7\n";
    T_INT(usage_field(text, "anon"), 12);
    T_INT(usage_field(text, "file"), 34);
    T_INT(usage_field(text, "inactive_file"), 7);
    T_INT(usage_field(text, "inactive"), -1);
    T_INT(usage_field("", "anon"), -1);
    T_INT(usage_field("MemTotal:       16303428 kB\n", "MemTotal"), 16303428);
}

TEST(idle_and_waiting_time_is_not_busy)
{
    T_INT(usage_busy_ticks("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 9 9 9 9\n"), 63);
    T_INT(usage_busy_ticks("cpu  1 2 4 800\n"), 7);
    T_INT(usage_busy_ticks("intr 1\n"), -1);
}

TEST(a_rate_needs_two_measurements)
{
    struct usage_series s = {0};
    usage_add(&s, &(struct usage){5000000, 100}, 1000000000, 0);
    T_INT(s.window_usec, 0);
    T_INT(s.last.memory_bytes, 100);
    usage_add(&s, &(struct usage){7500000, 200}, 1005000000, 0);
    T_INT(s.window_usec, 5000000);
    T_INT(s.nano_cores, 500000000);
    T_INT(s.last.memory_bytes, 200);
}

TEST(a_young_container_has_one_at_once)
{
    struct usage_series s = {0}, old = {0};
    usage_add(&s, &(struct usage){1000000, 0}, 1002000000, 1000000000);
    T_INT(s.window_usec, 2000000);
    T_INT(s.nano_cores, 500000000);
    usage_add(&old, &(struct usage){1000000, 0}, 1002000000000, 1000000000);
    T_INT(old.window_usec, 0); /* its whole life is no rate */
}

TEST(a_counter_that_goes_back_is_no_use)
{
    struct usage_series s = {.last = {.cpu_usec = 10}, .last_usec = 1000000};
    usage_add(&s, &(struct usage){.cpu_usec = 5}, 3000000, 0);
    T_INT(s.nano_cores, 0);
    T_INT(s.window_usec, 2000000);
}

int main(void)
{
    RUN(fields_are_found_at_the_start_of_a_line);
    RUN(idle_and_waiting_time_is_not_busy);
    RUN(a_rate_needs_two_measurements);
    RUN(a_young_container_has_one_at_once);
    RUN(a_counter_that_goes_back_is_no_use);
    return DONE();
}
