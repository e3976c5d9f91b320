/* See topology.h. */
#include "control/topology.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/node.h"

#define OVERLOAD 0.2 /* a zone may get so much less than its share, as then its endpoints have so much more to do */
#define ZONE_LABEL "topology.kubernetes.io/zone"

/* --- nodes --- */

static bool takes_pods(const json_t *node)
{
    const json_t *labels = jget(node, "metadata.labels");
    return !json_object_get(labels, "node-role.kubernetes.io/control-plane") &&
           !json_object_get(labels, "node-role.kubernetes.io/master") && node_is_ready(node);
}

static double cpus_of(const json_t *node)
{
    struct quantity q;
    const char *text = jstr(node, "status.allocatable.cpu");
    return text && quantity_parse(text, &q) ? (double)quantity_milli(&q) / 1000 : 0;
}

static struct topology_zone *find_zone(struct topology_zone *zones, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq(zones[i].name, name))
            return &zones[i];
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct topology_zone *)a)->name, ((const struct topology_zone *)b)->name);
}

size_t topology_zones(const json_t *nodes, struct topology_zone *zones)
{
    size_t i, n = 0;
    json_t *node;
    json_array_foreach((json_t *)nodes, i, node) {
        const char *name = json_string_value(json_object_get(jget(node, "metadata.labels"), ZONE_LABEL));
        double cpu = cpus_of(node);
        if (!takes_pods(node))
            continue;
        if (!name || !*name || strlen(name) >= sizeof(zones->name) || cpu <= 0)
            return 0;
        struct topology_zone *zone = find_zone(zones, n, name);
        if (!zone && n == TOPOLOGY_ZONES_MAX)
            return 0;
        if (!zone) {
            zone = &zones[n++];
            *zone = (struct topology_zone){0};
            memcpy(zone->name, name, strlen(name) + 1);
        }
        zone->cpu += cpu;
    }
    qsort(zones, n, sizeof(*zones), by_name);
    return n < 2 ? 0 : n;
}

/* --- endpoints --- */

static bool is_ready(const json_t *endpoint)
{
    return jbool(endpoint, "conditions.ready", false);
}

static const char *address_of(const json_t *endpoint)
{
    return str_or(json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0)), "");
}

static int by_address(const void *a, const void *b)
{
    return strcmp(address_of(*(json_t *const *)a), address_of(*(json_t *const *)b));
}

/* Ready ones, in an order of their own, so that the same endpoints get the same hints. NULL: one has no zone of these.
 */
static json_t **ready_ones(json_t *endpoints, struct topology_zone *zones, size_t n_zones, size_t *ret_n)
{
    json_t **list = xcalloc(json_array_size(endpoints) + 1, sizeof(json_t *)), *endpoint;
    size_t i, n = 0;
    json_array_foreach(endpoints, i, endpoint) {
        if (!is_ready(endpoint))
            continue;
        if (!find_zone(zones, n_zones, jstr_or(endpoint, "zone", ""))) {
            free(list);
            return NULL;
        }
        list[n++] = endpoint;
    }
    qsort(list, n, sizeof(json_t *), by_address);
    *ret_n = n;
    return list;
}

/* How many each zone has to get, and may. */
static bool allocate(struct topology_zone *zones, size_t n_zones, size_t n)
{
    double cpu = 0, spare = (double)n;
    for (size_t i = 0; i < n_zones; i++)
        cpu += zones[i].cpu;
    for (size_t i = 0; i < n_zones; i++) {
        zones[i].n = 0;
        zones[i].min = ceil((double)n * zones[i].cpu / cpu / (1 + OVERLOAD));
        spare -= zones[i].min;
    }
    for (size_t i = 0; i < n_zones; i++)
        zones[i].max = zones[i].min + spare;
    return spare >= 0 && n >= n_zones;
}

static struct topology_zone *neediest(struct topology_zone *zones, size_t n_zones)
{
    struct topology_zone *best = NULL;
    for (size_t i = 0; i < n_zones; i++)
        if ((double)zones[i].n < zones[i].min &&
            (!best || zones[i].min - (double)zones[i].n > best->min - (double)best->n))
            best = &zones[i];
    return best;
}

/* Their own zone first, up to what it may have; then those in need get the rest, and what others have to spare. */
static void distribute(json_t *const *ready, size_t n, struct topology_zone *zones, size_t n_zones,
                       struct topology_zone **given)
{
    struct topology_zone *needy;
    for (size_t i = 0; i < n; i++) {
        struct topology_zone *own = find_zone(zones, n_zones, jstr(ready[i], "zone"));
        if ((double)own->n >= own->max)
            continue;
        given[i] = own;
        own->n++;
    }
    for (size_t i = 0; i < n && (needy = neediest(zones, n_zones)); i++) {
        if (given[i] && ((double)given[i]->n <= given[i]->min || given[i] == needy))
            continue;
        if (given[i])
            given[i]->n--;
        given[i] = needy;
        needy->n++;
    }
    for (size_t i = 0; i < n; i++)
        if (!given[i])
            given[i] = find_zone(zones, n_zones, jstr(ready[i], "zone"));
}

void topology_hint(json_t *endpoints, struct topology_zone *zones, size_t n_zones)
{
    size_t n = 0;
    json_t **ready = n_zones ? ready_ones(endpoints, zones, n_zones, &n) : NULL;
    if (ready && allocate(zones, n_zones, n)) {
        struct topology_zone **given = xcalloc(n + 1, sizeof(struct topology_zone *));
        distribute(ready, n, zones, n_zones, given);
        for (size_t i = 0; i < n; i++)
            jset(ready[i], "hints.forZones", json_pack("[{s:s}]", "name", given[i]->name));
        free(given);
    }
    free(ready);
}
