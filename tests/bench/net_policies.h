/* How long NetworkPolicies take to be programmed, and what they cost a new connection: 1,000 policies and 1,000 pods,
 * of which 100 are on this node and two are real: "client" and "server". */
#pragma once

/* ips: of the two. connections: how many a second there are between them. */
void bench_policies(char ips[2][64], double (*connections)(void));
