/* DNS messages of strangers: queries to answer, and replies of other servers to remember, cut and join. The first byte
 * says which. */
#include <jansson.h>
#include <libknot/packet/pkt.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/cache.h"
#include "dns/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct answerer a;
static struct cache *cache;
static uint8_t out[WIRE_MAX];

static void set(void (*put)(struct model *, const char *, const char *, const json_t *), const char *name,
                const char *text)
{
    json_t *doc = json_loads(text, 0, NULL);
    if (!doc)
        abort();
    put(a.model, "default", name, doc);
    json_decref(doc);
}

static void setup(void)
{
    struct ips servers = {0};
    struct err err;
    ips_parse("10.96.0.10,fd00:10:96::a", &servers);
    zone_init(&a.zone, "cluster.local", &servers);
    a.model = model_new();
    a.reverse = reverse_new(a.model);
    cache = cache_new(30);
    a.settings = settings_new(NULL, &err);
    model_set_namespace(a.model, "default", true);
    set(model_set_service, "a",
        "{\"metadata\":{\"name\":\"a\",\"namespace\":\"default\"},\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":["
        "\"None\"],"
        "\"ports\":[{\"name\":\"p\",\"port\":1,\"protocol\":\"TCP\"}]}}");
    set(model_set_slice, "a",
        "{\"metadata\":{\"name\":\"a\",\"namespace\":\"default\",\"labels\":{\"kubernetes.io/service-name\":\"a\"}},"
        "\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"p\",\"port\":1,\"protocol\":\"TCP\"}],"
        "\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"hostname\":\"h\"},{\"addresses\":[\"10.0.0.2\"]}]}");
    set(model_set_service, "x",
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"default\"},\"spec\":{\"type\":\"ExternalName\","
        "\"externalName\":\"www.example.com\"}}");
}

static void must_parse(size_t len)
{
    knot_pkt_t *pkt = knot_pkt_new(out, (uint16_t)len, NULL);
    if (len > WIRE_MAX || knot_pkt_parse(pkt, KNOT_PF_KEEPWIRE) != 0)
        abort();
    knot_pkt_free(pkt);
}

static void query(const uint8_t *data, size_t size, bool tcp)
{
    size_t len = 0;
    enum answer_verdict verdict = answer_query(&a, data, size, tcp, out, &len);
    if (verdict == ANSWER_SEND || verdict == ANSWER_CHASE) {
        if (!tcp && len > ANSWER_UDP_MAX && len > size)
            abort();
        must_parse(len);
    }
    (void)cache_get(cache, data, size, 0, out, &len);
}

static void reply(const uint8_t *data, size_t size, bool tcp)
{
    /* x.default.svc.cluster.local, A */
    static const uint8_t chased[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1x\7default\3svc\7cluster\5local\0\0\1\0\1";
    uint8_t copy[4096];
    size_t len = answer_join(&a, chased, sizeof(chased) - 1, data, size, tcp, out);
    must_parse(len);
    cache_put(cache, data, size, data, size, 0);
    if (cache_get(cache, data, size, 1000, out, &len) && len != size)
        abort();
    if (size > sizeof(copy))
        return;
    memcpy(copy, data, size);
    if (answer_fit(chased, sizeof(chased) - 1, tcp, copy, size) > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!a.model)
        setup();
    if (size < 1 || size > WIRE_MAX)
        return 0;
    (data[0] & 2 ? reply : query)(data + 1, size - 1, data[0] & 1);
    return 0;
}
