/* lb: who is there, by heartbeats. Several nodes that each judge for themselves, a network between them that is cut and
 * joined, and a clock that the test turns. */
#include "lb/alive.h"
#include "base/alloc.h"
#include "base/str.h"
#include "t.h"

#define N_MAX 5
static const char *const names[N_MAX] = {"a", "b", "c", "d", "e"};

static struct node {
    struct alive *alive;
    bool on;
    int doubts;
} nodes[N_MAX];
static int n_nodes;
static bool wire[N_MAX][N_MAX]; /* from, to */
static uint64_t now;

static void boot(int i)
{
    alive_free(nodes[i].alive);
    nodes[i] = (struct node){.alive = alive_new(now), .on = true};
    for (int k = 0; k < n_nodes; k++)
        if (k != i)
            alive_put(nodes[i].alive, names[k], true);
}

static void begin(int n)
{
    n_nodes = n;
    for (int i = 0; i < n; i++)
        boot(i);
    memset(wire, true, sizeof(wire));
}

static void end(void)
{
    for (int i = 0; i < n_nodes; i++)
        alive_free(TAKE(nodes[i].alive));
}

static void say(int from, int to)
{
    struct beat b = alive_beat(nodes[from].alive, names[to], now);
    if (wire[from][to] && nodes[to].on)
        nodes[to].doubts += (alive_heard(nodes[to].alive, names[from], &b, now) & ALIVE_DOUBT) != 0;
}

static void pass(uint64_t ms)
{
    for (uint64_t until = now + ms; now < until;) {
        now += ALIVE_BEAT_MS;
        for (int i = 0; i < n_nodes; i++) {
            for (int k = 0; nodes[i].on && k < n_nodes; k++)
                if (k != i)
                    say(i, k);
            if (nodes[i].on)
                (void)alive_tick(nodes[i].alive, now);
        }
    }
}

static void cut(int i, bool whole)
{
    for (int k = 0; k < n_nodes; k++)
        if (k != i)
            wire[i][k] = wire[k][i] = whole;
}

/* Who may announce, as node i sees it: "ab". */
static const char *seen_by(int i)
{
    static char text[N_MAX + 1];
    size_t n = 0;
    for (int k = 0; k < n_nodes; k++)
        if (alive_settled(nodes[i].alive, k == i ? NULL : names[k]))
            text[n++] = *names[k];
    text[n] = '\0';
    return text;
}

static void all_see(const char *who)
{
    for (int i = 0; i < n_nodes; i++)
        if (nodes[i].on)
            T_STR(seen_by(i), who);
}

TEST(a_silent_node_is_lost_in_less_than_a_second)
{
    begin(3);
    all_see("abc"); /* before the first heartbeat the API is believed */
    pass(1000);
    all_see("abc");
    nodes[2].on = false;
    pass(ALIVE_LOST_MS);
    all_see("abc");
    pass(ALIVE_BEAT_MS);
    all_see("ab");
    T_TRUE(alive_lost(nodes[0].alive, "c") && !alive_lost(nodes[0].alive, "b"));
    end();
}

TEST(who_is_back_waits)
{
    begin(3);
    pass(60000);
    nodes[2].on = false;
    pass(5000);
    boot(2);
    pass(ALIVE_BEAT_MS);
    all_see("ab");
    T_TRUE(!alive_lost(nodes[0].alive, "c")); /* its endpoints are used again at once */
    pass(ALIVE_HOLD_MS - 2 * ALIVE_BEAT_MS);
    all_see("ab");
    pass(2 * ALIVE_BEAT_MS);
    all_see("abc");
    end();
}

/* The program alone was restarted, its addresses and rules were there all the time. */
TEST(who_was_not_missed_goes_on)
{
    begin(3);
    pass(60000);
    nodes[2].on = false;
    pass(ALIVE_BEAT_MS);
    boot(2);
    pass(ALIVE_BEAT_MS);
    all_see("abc");
    end();
}

TEST(who_was_cut_off_waits_too)
{
    begin(3);
    pass(60000);
    cut(2, false);
    pass(5000);
    T_STR(seen_by(0), "ab");
    T_STR(seen_by(2), "c"); /* both halves announce: there is nobody who could tell them who is right */
    cut(2, true);
    pass(ALIVE_BEAT_MS);
    all_see("ab");
    pass(ALIVE_HOLD_MS + ALIVE_BEAT_MS);
    all_see("abc");
    end();
}

/* `node cut`: its announcer stands still meanwhile. */
TEST(who_stood_still_presumes_the_others)
{
    begin(3);
    pass(60000);
    nodes[2].on = false;
    pass(5000);
    alive_return(nodes[2].alive, now);
    nodes[2].on = true;
    T_STR(seen_by(2), "ab");
    pass(ALIVE_BEAT_MS);
    all_see("ab");
    pass(ALIVE_HOLD_MS + ALIVE_BEAT_MS);
    all_see("abc");
    end();
}

TEST(halves_agree_at_once_when_they_meet)
{
    begin(4);
    pass(60000);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            wire[i][k] = (i < 2) == (k < 2);
    pass(2000);
    T_STR(seen_by(0), "ab");
    T_STR(seen_by(3), "cd");
    for (int i = 0; i < 4; i++)
        nodes[i].doubts = 0;
    memset(wire, true, sizeof(wire));
    pass(ALIVE_BEAT_MS);
    all_see("abcd");
    for (int i = 0; i < 4; i++)
        T_TRUE(nodes[i].doubts > 0); /* the neighbours are told who it is */
    end();
}

/* b does not hear a: it takes a's addresses, a hears of it and tells the neighbours that it is here. */
TEST(who_is_not_heard_is_told)
{
    begin(3);
    pass(60000);
    nodes[0].doubts = 0;
    wire[0][1] = false;
    pass(1000);
    T_STR(seen_by(1), "bc");
    T_STR(seen_by(0), "abc");
    T_INT(nodes[0].doubts, 1);
    wire[0][1] = true;
    pass(2 * ALIVE_BEAT_MS);
    all_see("abc");
    T_INT(nodes[0].doubts, 2); /* and once more when the other has let go */
    end();
}

TEST(a_clock_that_stood_still_accuses_nobody)
{
    begin(3);
    pass(1000);
    now += 10000; /* nobody ran */
    for (int i = 0; i < 3; i++)
        (void)alive_tick(nodes[i].alive, now);
    all_see("abc");
    pass(1000);
    all_see("abc");
    end();
}

TEST(nodes_that_send_no_heartbeats_follow_the_api)
{
    begin(2);
    nodes[1].on = false;
    pass(60000);
    T_STR(seen_by(0), "ab");
    alive_remove(nodes[0].alive, "b");
    T_TRUE(!alive_lost(nodes[0].alive, "b"));
    end();
}

/* Whatever happens to wires and nodes: when it is over all agree, and on everybody. */
TEST(after_any_disorder_all_agree)
{
    srand(7);
    for (int round = 0; round < 200; round++) {
        begin(2 + rand() % (N_MAX - 1));
        pass((uint64_t)rand() % 8000);
        for (int step = 0; step < 12; step++) {
            int i = rand() % n_nodes, k = rand() % n_nodes;
            if (nodes[i].on && rand() % 2)
                nodes[i].on = false;
            else if (!nodes[i].on)
                boot(i);
            wire[i][k] = rand() % 2;
            pass((uint64_t)rand() % 3000);
        }
        memset(wire, true, sizeof(wire));
        for (int i = 0; i < n_nodes; i++)
            if (!nodes[i].on)
                boot(i);
        pass(ALIVE_BEAT_MS);
        for (uint64_t ms = 0; ms < 2 * ALIVE_HOLD_MS; ms += ALIVE_BEAT_MS) {
            char first[N_MAX + 1];
            pass(ALIVE_BEAT_MS);
            snprintf(first, sizeof(first), "%s", seen_by(0));
            T_TRUE(*first != '\0'); /* there is always somebody */
        }
        char everybody[N_MAX + 1] = "abcde";
        everybody[n_nodes] = '\0';
        all_see(everybody);
        end();
    }
}

TEST(heartbeats_on_the_wire)
{
    unsigned char bytes[BEAT_SIZE];
    struct beat b;
    beat_write(&(struct beat){3000, BEAT_UNHEARD}, bytes);
    T_TRUE(memcmp(bytes, "c8sbeat\x01\x00\x00\x0b\xb8\xff\xff\xff\xff", BEAT_SIZE) == 0);
    T_TRUE(beat_read(bytes, sizeof(bytes), &b));
    T_TRUE(b.age == 3000 && b.yours == BEAT_UNHEARD);
    T_TRUE(!beat_read(bytes, sizeof(bytes) - 1, &b));
    bytes[7]++;
    T_TRUE(!beat_read(bytes, sizeof(bytes), &b));
}

int main(void)
{
    RUN(a_silent_node_is_lost_in_less_than_a_second);
    RUN(who_is_back_waits);
    RUN(who_was_not_missed_goes_on);
    RUN(who_was_cut_off_waits_too);
    RUN(who_stood_still_presumes_the_others);
    RUN(halves_agree_at_once_when_they_meet);
    RUN(who_is_not_heard_is_told);
    RUN(a_clock_that_stood_still_accuses_nobody);
    RUN(nodes_that_send_no_heartbeats_follow_the_api);
    RUN(after_any_disorder_all_agree);
    RUN(heartbeats_on_the_wire);
    return DONE();
}
