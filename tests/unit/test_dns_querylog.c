/* dns: queries as lines of the log. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "dns/querylog.h"
#include "t.h"

/* id 59925, recursion desired, one question: kubernetes.default. A IN */
#define HEAD "\xea\x15\x01\x00\x00\x01\x00\x00\x00\x00\x00"
#define QUESTION                                                                                                       \
    "\x0akubernetes\x07"                                                                                               \
    "default\x00\x00\x01\x00\x01"
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const uint8_t answer[] = "\xea\x15\x85\x83\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION;

TEST(a_query_is_a_line)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(41675)};
    struct sockaddr_in6 from6 = {.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    inet_pton(AF_INET, "172.17.0.18", &from.sin_addr);
    _cleanup_free_ char *plain =
        querylog_line((struct sockaddr *)&from, BYTES(HEAD "\x00" QUESTION), false, answer, sizeof(answer) - 1, 66);
    T_STR(plain, "172.17.0.18:41675 - 59925 \"A IN kubernetes.default. udp 36 false 512\" NXDOMAIN qr,aa,rd,ra 36 "
                 "0.000066000s");
    /* With EDNS: 1232 bytes, DNSSEC wanted. */
    _cleanup_free_ char *edns = querylog_line(
        (struct sockaddr *)&from6, BYTES(HEAD "\x01" QUESTION "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"), true,
        answer, sizeof(answer) - 1, 1500000);
    T_STR(edns, "[::1]:53 - 59925 \"A IN kubernetes.default. tcp 47 true 1232\" NXDOMAIN qr,aa,rd,ra 36 1.500000000s");
}

TEST(what_is_no_query_is_no_line)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    T_TRUE(!querylog_line((struct sockaddr *)&from, BYTES("x"), false, answer, sizeof(answer) - 1, 0));
    T_TRUE(!querylog_line((struct sockaddr *)&from, BYTES(HEAD "\x00"), false, answer, sizeof(answer) - 1, 0));
    T_TRUE(!querylog_line((struct sockaddr *)&from, BYTES(HEAD "\x00" QUESTION), false, answer, 0, 0));
}

int main(void)
{
    RUN(a_query_is_a_line);
    RUN(what_is_no_query_is_no_line);
    return DONE();
}
