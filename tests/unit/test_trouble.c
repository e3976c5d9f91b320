/* podnet: what is said of a tunnel, and who is cut off. */
#include "podnet/trouble.h"

#include "t.h"

#define OLD "2026-11-20T10:00:00Z"
#define NEW "2026-11-20T11:00:00Z"

static const struct trouble_peer own = {.name = "a", .created = OLD}, newcomer = {.name = "a", .created = "2027"};

static struct trouble_peer peer(const char *name, enum reach_fault out, enum reach_fault in)
{
    return (struct trouble_peer){.name = name, .created = NEW, .ready = true, .tunnelled = true, .in = in, .out = out};
}

static void check(const struct trouble_peer *self, const struct trouble_peer *peers, size_t n, bool cut_off,
                  const char *reason, const char *message)
{
    struct trouble t;
    T_TRUE(trouble_describe(self, peers, n, &t));
    T_INT(t.cut_off, cut_off);
    T_STR(t.reason, reason);
    T_STR(t.message, message);
}

TEST(all_is_well)
{
    const struct trouble_peer peers[] = {peer("b", REACH_WELL, REACH_WELL),
                                         {.name = "c", .created = NEW, .ready = true}};
    check(&own, peers, 2, false, "TunnelWorks", "packets of every size come through the tunnel");
}

TEST(what_is_not_known_is_not_said)
{
    const struct trouble_peer peers[] = {peer("b", REACH_WELL, REACH_NOT_KNOWN), peer("c", REACH_BLOCKED, REACH_WELL)};
    struct trouble t;
    T_TRUE(!trouble_describe(&own, peers, 1, &t));
    check(&own, peers, 2, false, "TunnelBlocked", "UDP 8472 from a to c does not arrive: a firewall?");
}

TEST(each_fault_has_its_words)
{
    const struct trouble_peer both = peer("b", REACH_BLOCKED, REACH_BLOCKED),
                              corrupt = peer("b", REACH_WELL, REACH_CORRUPT),
                              large = peer("b", REACH_TOO_LARGE, REACH_TOO_LARGE),
                              mixed = peer("b", REACH_TOO_LARGE, REACH_BLOCKED);
    check(&own, &both, 1, false, "TunnelBlocked", "UDP 8472 between a and b does not arrive: a firewall?");
    check(&own, &corrupt, 1, false, "TunnelChecksumsWrong",
          "packets in the tunnel from b to a arrive with wrong checksums: does a network card make them? "
          "(ethtool -K DEVICE tx off)");
    check(&own, &large, 1, false, "TunnelMTUTooSmall",
          "large packets in the tunnel between a and b do not arrive, small ones do: does a link on the way take less "
          "than the nodes' own?");
    check(&own, &mixed, 1, false, "TunnelBlocked",
          "large packets in the tunnel from a to b do not arrive, small ones do: does a link on the way take less than "
          "the nodes' own?; UDP 8472 from b to a does not arrive: a firewall?");
}

TEST(the_smaller_part_is_cut_off)
{
    struct trouble_peer peers[] = {peer("b", REACH_BLOCKED, REACH_WELL), peer("c", REACH_WELL, REACH_BLOCKED)};
    struct trouble t;
    T_TRUE(trouble_describe(&own, peers, 2, &t) && t.cut_off); /* the oldest, but alone */
    peers[1].tunnelled = false;
    T_TRUE(trouble_describe(&newcomer, peers, 2, &t) && !t.cut_off);
    T_TRUE(trouble_describe(&own, peers, 1, &t) && !t.cut_off); /* of two the older one goes on */
    T_TRUE(trouble_describe(&newcomer, peers, 1, &t) && t.cut_off);
    peers[0].created = OLD; /* of the same second, too, only one of them is cut off */
    T_TRUE(trouble_describe(&own, peers, 1, &t) && !t.cut_off);
    peers[0].name = "0";
    T_TRUE(trouble_describe(&own, peers, 1, &t) && t.cut_off);
    peers[0].ready = false; /* the dead are not counted */
    T_TRUE(trouble_describe(&own, peers, 1, &t) && !t.cut_off);
    T_STR(t.reason, "TunnelWorks");
}

TEST(many_are_counted)
{
    const struct trouble_peer peers[] = {peer("b", REACH_BLOCKED, REACH_BLOCKED),
                                         peer("c", REACH_BLOCKED, REACH_BLOCKED),
                                         peer("d", REACH_BLOCKED, REACH_BLOCKED),
                                         peer("e", REACH_TOO_LARGE, REACH_WELL), peer("f", REACH_WELL, REACH_WELL)};
    check(
        &own, peers, 5, false, "TunnelBlocked",
        "UDP 8472 between a and b does not arrive: a firewall?; UDP 8472 between a and c does not arrive: a firewall?; "
        "UDP 8472 between a and d does not arrive: a firewall?; and so on, with 4 nodes in all");
}

int main(void)
{
    RUN(all_is_well);
    RUN(what_is_not_known_is_not_said);
    RUN(each_fault_has_its_words);
    RUN(the_smaller_part_is_cut_off);
    RUN(many_are_counted);
    return DONE();
}
