/* proxy: hostPorts, with packets. test_proxy_hostports6.c is the same over IPv6. */
#include "packets.h"

static void pod_with(const char *name, int place, const char *ports)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'namespace':'d','name':'%s'},'spec':{'containers':[{'ports':[%s]}]},'status':{'phase':"
                  "'Running','podIPs':[{'ip':'%s'}]}}",
                  name, str_or(ports, ""), pod_ips[place]);
    _cleanup_json_ json_t *j = ports ? t_doc(text) : NULL;
    proxy_set_pod(proxy, "d", name, j);
    settle();
}

#define HOST_PORT(more) "{'hostPort':54323,'containerPort':8080" more "}"

TEST(host_ports_lead_to_a_pod_of_the_node)
{
    service(NULL);
    pod_with("one", POD_A, HOST_PORT(""));
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 54323), "a<" OUTSIDE_IP);
    T_STR(ask(POD_CLIENT, SOCK_STREAM, NODE_IP, 54323), "a<" CLIENT);
    T_STR(ask(POD_A, SOCK_STREAM, NODE_IP, 54323), "a<" GATEWAY); /* itself */
    T_STR(ask(NODE, SOCK_STREAM, NODE_IP, 54323), "a<" GATEWAY);
    T_STR(ask(NODE, SOCK_STREAM, GATEWAY, 54323), "a<" GATEWAY); /* any address of the node */
    if (FAMILY == AF_INET)
        T_STR(ask(NODE, SOCK_STREAM, LOCALHOST, 54323), "a<" GATEWAY);
    T_STR(ask(OUTSIDE, SOCK_DGRAM, NODE_IP, 54323), "refused");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, OUTSIDE_IP, 54323), "refused"); /* another machine's port of this number */
    service(NODEPORT(""));
    endpoints("b");
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 54323), "a<" OUTSIDE_IP);
    pod_with("one", POD_A, NULL);
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 54323), "refused");
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "b<" GATEWAY);
}

/* Upstream's "no conflict between pods with same hostPort but different hostIP and protocol". */
TEST(host_ports_of_one_number_differ_by_address_and_protocol)
{
    pod_with("one", POD_A, HOST_PORT(",'hostIP':'" LOCALHOST "'"));
    pod_with("two", POD_B, HOST_PORT(",'hostIP':'" NODE_IP "'"));
    pod_with("three", POD_A, HOST_PORT(",'hostIP':'" NODE_IP "','protocol':'UDP'"));
    if (FAMILY == AF_INET)
        T_STR(ask(NODE, SOCK_STREAM, LOCALHOST, 54323), "a<" GATEWAY);
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 54323), "b<" OUTSIDE_IP);
    T_STR(ask(NODE, SOCK_STREAM, NODE_IP, 54323), "b<" GATEWAY);
    T_STR(ask(OUTSIDE, SOCK_DGRAM, NODE_IP, 54323), "a<" OUTSIDE_IP);
    T_STR(ask(OUTSIDE, SOCK_STREAM, GATEWAY, 54323), "refused");
    pod_with("one", POD_A, NULL);
    pod_with("two", POD_B, NULL);
    pod_with("three", POD_A, NULL);
}

TEST(flows_through_host_ports_follow_the_pod)
{
    int fd = client_socket(OUTSIDE, SOCK_DGRAM, NODE_IP, 54323);
    T_STR(talk(fd, SOCK_DGRAM), "refused"); /* and is remembered as one to the node itself */
    pod_with("one", POD_A, HOST_PORT(",'protocol':'UDP'"));
    T_STR(talk(fd, SOCK_DGRAM), "a<" OUTSIDE_IP);
    pod_with("two", POD_B, HOST_PORT(",'protocol':'UDP'")); /* has to wait: the port is taken */
    T_STR(talk(fd, SOCK_DGRAM), "a<" OUTSIDE_IP);
    pod_with("one", POD_A, NULL);
    T_STR(talk(fd, SOCK_DGRAM), "b<" OUTSIDE_IP);
    pod_with("two", POD_B, NULL);
    T_STR(talk(fd, SOCK_DGRAM), "refused");
    close(fd);
}

/* The link lets 127.0.0.1 out, for host ports; a pod that sends there by it does not come in. */
TEST(localhost_of_the_node_is_its_own)
{
    if (FAMILY != AF_INET)
        return;
    T_INT(system("nsenter --net=" RUN_TMP "/client sh -c 'ip addr flush dev lo && ip route add 127.0.0.0/8 via " GATEWAY
                 " dev eth0 && echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'"),
          0);
    T_STR(ask_briefly(POD_CLIENT, SOCK_STREAM, LOCALHOST, 1), "silence");
    T_INT(system("nsenter --net=" RUN_TMP "/client sh -c 'ip route del 127.0.0.0/8 && ip addr add 127.0.0.1/8 dev lo'"),
          0);
}

int main(void)
{
    enter_place();
    RUN(host_ports_lead_to_a_pod_of_the_node);
    RUN(host_ports_of_one_number_differ_by_address_and_protocol);
    RUN(flows_through_host_ports_follow_the_pod);
    RUN(localhost_of_the_node_is_its_own);
    leave_place();
    return DONE();
}
