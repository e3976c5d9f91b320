/* podnet: what the packets that come through the tunnel, and those that do not, tell of it. */
#include "podnet/reach.h"
#include "t.h"

enum { BARE = 1 << REACH_BARE, PLAIN = 1 << REACH_PLAIN, SUMMED = 1 << REACH_SUMMED, FULL = 1 << REACH_FULL, ALL = 15 };

static uint64_t now;
static uint32_t round_number, life = 7;

/* So many rounds of `from`, of which those kinds arrive at `to`. */
static void send_rounds(const struct reach *from, struct reach *to, int n, unsigned arrive)
{
    for (int i = 0; i < n; i++) {
        struct reach_note note = reach_tell(from, now);
        unsigned char packet[REACH_PACKET_SIZE];
        note.life = life;
        note.round = ++round_number;
        now += 2000;
        for (int k = 0; k < REACH_KINDS; k++) {
            note.kind = (enum reach_kind)k;
            reach_write(&note, packet);
            T_TRUE(reach_read(packet, sizeof(packet), &note));
            if (arrive & 1U << k)
                reach_heard(to, &note, now);
        }
    }
}

static struct reach ready(void)
{
    struct reach r = {0};
    reach_set_ready(&r, true, now);
    return r;
}

TEST(a_tunnel_that_works)
{
    struct reach here = ready(), there = ready();
    T_INT(reach_in(&here, now), REACH_NOT_KNOWN);
    send_rounds(&there, &here, 1, ALL);
    T_INT(reach_in(&here, now), REACH_WELL);
    T_INT(reach_out(&here), REACH_NOT_KNOWN);
    send_rounds(&here, &there, 1, ALL);
    T_INT(reach_out(&there), REACH_WELL); /* the other has told */
}

TEST(each_fault_is_told_from_the_others)
{
    static const struct {
        unsigned arrive;
        enum reach_fault fault;
    } rows[] = {
        {BARE, REACH_BLOCKED},
        {BARE | PLAIN, REACH_CORRUPT},
        {BARE | PLAIN | SUMMED, REACH_TOO_LARGE},
        {PLAIN | SUMMED, REACH_TOO_LARGE}, /* a firewall that lets nothing but the tunnel through */
        {PLAIN | SUMMED | FULL, REACH_WELL},
        {BARE | SUMMED | FULL, REACH_WELL}, /* somebody dislikes packets without a checksum: pods send none */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reach here = ready(), there = ready();
        send_rounds(&there, &here, REACH_ROUNDS, rows[i].arrive);
        T_INT(reach_in(&here, now), rows[i].fault);
        send_rounds(&here, &there, 1, ALL);
        T_INT(reach_out(&there), rows[i].fault);
        T_INT(reach_in(&there, now), REACH_WELL); /* one direction says nothing of the other */
    }
}

TEST(wrong_checksums_outside_look_like_a_firewall_until_they_are_counted)
{
    struct reach here = ready(), there = ready();
    send_rounds(&there, &here, REACH_ROUNDS, BARE);
    T_TRUE(reach_is_missing(&here, now));
    here.corrupt = true;
    T_INT(reach_in(&here, now), REACH_CORRUPT);
    send_rounds(&here, &there, 1, BARE);
    T_INT(reach_out(&there), REACH_CORRUPT);
    send_rounds(&there, &here, 1, ALL);
    T_INT(reach_in(&here, now), REACH_WELL);
    T_TRUE(!reach_is_missing(&here, now));
}

TEST(single_losses_are_none)
{
    struct reach here = ready(), there = ready();
    send_rounds(&there, &here, 1, ALL);
    send_rounds(&there, &here, REACH_ROUNDS - 1, BARE);
    T_INT(reach_in(&here, now), REACH_WELL);
    round_number += 100; /* rounds of which nothing was heard prove nothing against one kind */
    send_rounds(&there, &here, 1, ALL);
    T_INT(reach_in(&here, now), REACH_WELL);
    send_rounds(&there, &here, REACH_ROUNDS, BARE);
    T_INT(reach_in(&here, now), REACH_BLOCKED);
    send_rounds(&there, &here, 1, ALL); /* one that arrives proves that they do */
    T_INT(reach_in(&here, now), REACH_WELL);
}

TEST(who_is_restarted_begins_anew)
{
    struct reach here = ready(), there = ready();
    send_rounds(&there, &here, 200, BARE);
    life++;
    round_number = 0;
    send_rounds(&there, &here, 1, BARE);
    T_INT(reach_in(&here, now), REACH_NOT_KNOWN);
    send_rounds(&there, &here, 1, ALL);
    T_INT(reach_in(&here, now), REACH_WELL);
}

TEST(the_dead_are_not_called_blocked)
{
    struct reach here = ready(), there = ready();
    send_rounds(&there, &here, 2, ALL);
    now += REACH_SILENT_MS - 1;
    T_INT(reach_in(&here, now), REACH_WELL);
    reach_set_ready(&here, false, now); /* the API has noticed: it is that which is said of the node */
    now += 2;
    T_INT(reach_in(&here, now), REACH_NOT_KNOWN);
    reach_set_ready(&here, true, now);
    T_INT(reach_in(&here, now), REACH_WELL);
    now += REACH_SILENT_MS; /* it lives, says the API, and not even beside the tunnel it is heard */
    T_INT(reach_in(&here, now), REACH_BLOCKED);
    send_rounds(&here, &there, 1, ALL);
    T_INT(reach_out(&there), REACH_BLOCKED);
}

TEST(what_is_no_packet_of_ours)
{
    const struct reach_note note = {.kind = REACH_FULL, .heard = {REACH_ARRIVES, REACH_MISSING}, .life = 3, .round = 4};
    unsigned char packet[REACH_PACKET_SIZE], other[REACH_PACKET_SIZE];
    struct reach_note got;
    reach_write(&note, packet);
    T_TRUE(reach_read(packet, sizeof(packet), &got));
    T_INT(got.heard[REACH_PLAIN], REACH_MISSING);
    T_TRUE(!reach_read(packet, sizeof(packet) - 1, &got));
    static const struct {
        int at;
        unsigned char value;
    } bad[] = {{0, 'x'}, {7, 2}, {8, REACH_KINDS}, {9, 3}, {10, 2}, {11, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(other, packet, sizeof(other));
        other[bad[i].at] = bad[i].value;
        T_TRUE(!reach_read(other, sizeof(other), &got));
    }
}

int main(void)
{
    RUN(a_tunnel_that_works);
    RUN(each_fault_is_told_from_the_others);
    RUN(wrong_checksums_outside_look_like_a_firewall_until_they_are_counted);
    RUN(single_losses_are_none);
    RUN(who_is_restarted_begins_anew);
    RUN(the_dead_are_not_called_blocked);
    RUN(what_is_no_packet_of_ours);
    return DONE();
}
