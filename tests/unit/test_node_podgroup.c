/* node: what a pod may use as a whole. */
#include "node/podgroup.h"
#include "t.h"

TEST(what_pods_ask_for_and_may_use)
{
#define C(resources) "{\"name\": \"c\", \"resources\": " resources "}"
    static const struct {
        const char *spec, *weight, *max, *memory;
    } cases[] = {
        {"{\"containers\": [" C("{}") "]}", "1", "max 100000", "max"},
        {"{\"containers\": [" C("{\"requests\": {\"cpu\": \"1\"}}") "]}", "39", "max 100000", "max"},
        {"{\"containers\": [" C(
             "{\"requests\": {\"cpu\": \"100m\"}, \"limits\": {\"cpu\": \"200m\", \"memory\": \"64Mi\"}}") "]}",
         "4", "20000 100000", "67108864"},
        {"{\"containers\": [" C("{\"limits\": {\"cpu\": \"1m\"}}") "]}", "1", "1000 100000", "max"},
        /* one that is free frees the pod; what is requested counts all the same */
        {"{\"containers\": [" C(
             "{\"requests\": {\"cpu\": \"1\"}, \"limits\": {\"cpu\": \"1\", \"memory\": \"1Mi\"}}") ", " C("{}") "]}",
         "39", "max 100000", "max"},
        {"{\"containers\": [" C("{\"limits\": {\"memory\": \"1Mi\"}}") "], \"initContainers\": [" C("{}") "]}", "1",
         "max 100000", "max"},
        /* init containers run alone */
        {"{\"containers\": [" C("{\"limits\": {\"memory\": \"1Mi\"}}") ", " C(
             "{\"limits\": {\"memory\": \"1Mi\"}}") "], \"initContainers\": [" C("{\"limits\": {\"memory\": "
                                                                                 "\"8Mi\"}}") "]}",
         "1", "max 100000", "8388608"},
        {"{\"containers\": [" C("{\"requests\": {\"cpu\": \"1000\"}}") "]}", "10000", "max 100000", "max"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct podgroup got;
        json_t *spec = json_loads(cases[i].spec, 0, NULL), *pod = json_pack("{so}", "spec", spec);
        podgroup_of(pod, &got);
        T_STR(got.cpu_weight, cases[i].weight);
        T_STR(got.cpu_max, cases[i].max);
        T_STR(got.memory_max, cases[i].memory);
        json_decref(pod);
    }
}

int main(void)
{
    RUN(what_pods_ask_for_and_may_use);
    return DONE();
}
