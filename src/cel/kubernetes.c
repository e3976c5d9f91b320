/* Kubernetes' own types: quantities, addresses and ranges (URLs: url.c). */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "cel/functions.h"

/* --- quantities --- */

#define NANO ((quantity_nano)1000000000)

static struct cel_value hold_quantity(struct cel_run *run, const struct quantity *q)
{
    struct quantity *held = cel_alloc(&run->arena, 1, sizeof(*held));
    *held = *q;
    return (struct cel_value){.kind = CEL_QUANTITY, .quantity = held};
}

static bool read_quantity(struct cel_run *run, struct cel_value v, struct quantity *ret)
{
    const char *text = cel_c_text(run, v);
    return cel_charge_text(run, v.text.len) && strlen(text) == v.text.len && quantity_parse(text, ret);
}

static struct cel_value quantity(struct cel_run *run, const struct cel_value *a)
{
    struct quantity q;
    if (!read_quantity(run, a[0], &q))
        return cel_error("quantities must match the regular expression "
                         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    return hold_quantity(run, &q);
}

static struct cel_value is_quantity(struct cel_run *run, const struct cel_value *a)
{
    struct quantity q;
    return cel_bool(read_quantity(run, a[0], &q));
}

static struct cel_value quantity_sign(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].quantity->nano < 0 ? -1 : a[0].quantity->nano > 0);
}

static bool is_whole(const struct quantity *q)
{
    return q->nano % NANO == 0 && q->nano / NANO >= INT64_MIN && q->nano / NANO <= INT64_MAX;
}

static struct cel_value quantity_is_integer(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(is_whole(a[0].quantity));
}

static struct cel_value quantity_as_integer(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return is_whole(a[0].quantity) ? cel_int((int64_t)(a[0].quantity->nano / NANO))
                                   : cel_error("cannot convert value to integer");
}

static struct cel_value quantity_as_double(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_double((double)a[0].quantity->nano / 1e9);
}

static struct cel_value quantity_compare(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(cel_compare(a[0], a[1]));
}

static struct cel_value quantity_is_greater(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(cel_compare(a[0], a[1]) > 0);
}

static struct cel_value quantity_is_less(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_bool(cel_compare(a[0], a[1]) < 0);
}

static struct cel_value quantity_plus(struct cel_run *run, const struct cel_value *a, int sign)
{
    struct quantity q = *a[0].quantity;
    quantity_nano n = a[1].kind == CEL_INT ? a[1].integer * NANO : a[1].quantity->nano;
    if (__builtin_add_overflow(q.nano, sign * n, &q.nano))
        return cel_error("quantity overflow");
    return hold_quantity(run, &q);
}

static struct cel_value quantity_add(struct cel_run *run, const struct cel_value *a)
{
    return quantity_plus(run, a, 1);
}

static struct cel_value quantity_sub(struct cel_run *run, const struct cel_value *a)
{
    return quantity_plus(run, a, -1);
}

/* --- addresses --- */

#define ADDRESS_TEXT_MAX 64

static bool read_ip(struct cel_value v, struct ip *ret)
{
    char text[ADDRESS_TEXT_MAX];
    if (v.text.len >= sizeof(text) || memchr(v.text.s, '\0', v.text.len))
        return false;
    memcpy(text, v.text.s, v.text.len);
    text[v.text.len] = '\0';
    return !(strchr(text, ':') && strchr(text, '.')) && ip_parse(text, ret); /* no IPv4 inside of IPv6 */
}

/* With the bits of the host: masked() is what clears them. */
static bool read_cidr(struct cel_value v, struct cidr *ret)
{
    const char *slash = memchr(v.text.s, '/', v.text.len);
    int64_t prefix;
    char text[8];
    size_t digits = slash ? v.text.len - (size_t)(slash + 1 - v.text.s) : 0;
    if (!slash || !digits || digits >= sizeof(text) || (digits > 1 && slash[1] == '0'))
        return false;
    memcpy(text, slash + 1, digits);
    text[digits] = '\0';
    if (!read_ip(cel_text(CEL_STRING, v.text.s, (size_t)(slash - v.text.s)), &ret->ip) ||
        !str_to_i64(text, 0, ip_bits(ret->ip.family), &prefix))
        return false;
    ret->prefix = (int)prefix;
    return true;
}

static struct cel_value hold_cidr(struct cel_run *run, enum cel_kind kind, struct cidr c)
{
    struct cidr *held = cel_alloc(&run->arena, 1, sizeof(*held));
    *held = c;
    return (struct cel_value){.kind = kind, .cidr = held};
}

static struct cel_value hold_ip(struct cel_run *run, struct ip ip)
{
    return hold_cidr(run, CEL_IP, (struct cidr){ip, ip_bits(ip.family)});
}

static struct cel_value bad_address(struct cel_run *run, struct cel_value v, const char *what)
{
    return cel_errorf(&run->arena, "%s \"%.*s\" parse error during conversion from string", what,
                      (int)(v.text.len < 64 ? v.text.len : 64), v.text.s);
}

static struct cel_value ip(struct cel_run *run, const struct cel_value *a)
{
    struct ip parsed;
    return read_ip(a[0], &parsed) ? hold_ip(run, parsed) : bad_address(run, a[0], "IP Address");
}

static struct cel_value is_ip(struct cel_run *run, const struct cel_value *a)
{
    struct ip parsed;
    (void)run;
    return cel_bool(read_ip(a[0], &parsed));
}

static struct cel_value is_canonical(struct cel_run *run, const struct cel_value *a)
{
    struct ip parsed;
    char text[IP_TEXT_SIZE];
    return read_ip(a[0], &parsed) ? cel_bool(cel_text_is(a[0], ip_format(&parsed, text)))
                                  : bad_address(run, a[0], "IP Address");
}

static struct cel_value ip_family(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].cidr->ip.family == AF_INET6 ? 6 : 4);
}

enum scope { UNSPECIFIED, LOOPBACK, LINK_LOCAL, LINK_LOCAL_MULTICAST, MULTICAST, BROADCAST, GLOBAL };

static enum scope scope_of(const struct ip *address)
{
    static const struct {
        const char *range;
        enum scope scope;
    } ranges[] = {
        {"0.0.0.0/32", UNSPECIFIED},
        {"::/128", UNSPECIFIED},
        {"127.0.0.0/8", LOOPBACK},
        {"::1/128", LOOPBACK},
        {"169.254.0.0/16", LINK_LOCAL},
        {"fe80::/10", LINK_LOCAL},
        {"224.0.0.0/24", LINK_LOCAL_MULTICAST},
        {"ff02::/16", LINK_LOCAL_MULTICAST},
        {"224.0.0.0/4", MULTICAST},
        {"ff00::/8", MULTICAST},
        {"255.255.255.255/32", BROADCAST},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        struct cidr c;
        if (cidr_parse(ranges[i].range, &c) && cidr_has(&c, address))
            return ranges[i].scope;
    }
    return GLOBAL;
}

#define IS_SCOPE(name, wanted)                                                                                         \
    static struct cel_value name(struct cel_run *run, const struct cel_value *a)                                       \
    {                                                                                                                  \
        (void)run;                                                                                                     \
        return cel_bool(scope_of(&a[0].cidr->ip) == (wanted));                                                         \
    }
IS_SCOPE(is_unspecified, UNSPECIFIED)
IS_SCOPE(is_loopback, LOOPBACK)
IS_SCOPE(is_link_local, LINK_LOCAL)
IS_SCOPE(is_link_local_multicast, LINK_LOCAL_MULTICAST)
IS_SCOPE(is_global, GLOBAL)

/* --- ranges --- */

static struct cel_value cidr(struct cel_run *run, const struct cel_value *a)
{
    struct cidr parsed;
    return read_cidr(a[0], &parsed) ? hold_cidr(run, CEL_CIDR, parsed) : bad_address(run, a[0], "CIDR");
}

static struct cel_value is_cidr(struct cel_run *run, const struct cel_value *a)
{
    struct cidr parsed;
    (void)run;
    return cel_bool(read_cidr(a[0], &parsed));
}

/* The range without the bits of the host. */
static struct cidr masked(const struct cidr *c)
{
    struct cidr out = *c;
    for (int bit = c->prefix; bit < ip_bits(c->ip.family); bit++)
        out.ip.bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    return out;
}

static struct cel_value contains_ip(struct cel_run *run, const struct cel_value *a)
{
    struct cidr range = masked(a[0].cidr);
    struct ip address;
    if (a[1].kind == CEL_IP)
        address = a[1].cidr->ip;
    else if (!read_ip(a[1], &address))
        return bad_address(run, a[1], "IP Address");
    return cel_bool(cidr_has(&range, &address));
}

static struct cel_value contains_cidr(struct cel_run *run, const struct cel_value *a)
{
    struct cidr range = masked(a[0].cidr), inner;
    if (a[1].kind == CEL_CIDR)
        inner = *a[1].cidr;
    else if (!read_cidr(a[1], &inner))
        return bad_address(run, a[1], "CIDR");
    return cel_bool(cidr_covers(&range, &inner));
}

static struct cel_value cidr_ip(struct cel_run *run, const struct cel_value *a)
{
    return hold_ip(run, a[0].cidr->ip);
}

static struct cel_value prefix_length(struct cel_run *run, const struct cel_value *a)
{
    (void)run;
    return cel_int(a[0].cidr->prefix);
}

static struct cel_value mask(struct cel_run *run, const struct cel_value *a)
{
    return hold_cidr(run, CEL_CIDR, masked(a[0].cidr));
}

const struct cel_function cel_kubernetes_functions[] = {
    {"quantity", "s:q", quantity},
    {"isQuantity", "s:b", is_quantity},
    {".sign", "q:i", quantity_sign},
    {".isInteger", "q:b", quantity_is_integer},
    {".asInteger", "q:i", quantity_as_integer},
    {".asApproximateFloat", "q:d", quantity_as_double},
    {".compareTo", "qq:i", quantity_compare},
    {".isGreaterThan", "qq:b", quantity_is_greater},
    {".isLessThan", "qq:b", quantity_is_less},
    {".add", "qq:q", quantity_add},
    {".add", "qi:q", quantity_add},
    {".sub", "qq:q", quantity_sub},
    {".sub", "qi:q", quantity_sub},
    {"ip", "s:p", ip},
    {"isIP", "s:b", is_ip},
    {"ip.isCanonical", "s:b", is_canonical},
    {".family", "p:i", ip_family},
    {".isUnspecified", "p:b", is_unspecified},
    {".isLoopback", "p:b", is_loopback},
    {".isLinkLocalMulticast", "p:b", is_link_local_multicast},
    {".isLinkLocalUnicast", "p:b", is_link_local},
    {".isGlobalUnicast", "p:b", is_global},
    {"cidr", "s:c", cidr},
    {"isCIDR", "s:b", is_cidr},
    {".containsIP", "cp:b", contains_ip},
    {".containsIP", "cs:b", contains_ip},
    {".containsCIDR", "cc:b", contains_cidr},
    {".containsCIDR", "cs:b", contains_cidr},
    {".ip", "c:p", cidr_ip},
    {".prefixLength", "c:i", prefix_length},
    {".masked", "c:c", mask},
    {0},
};
