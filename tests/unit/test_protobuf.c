/* api: protobuf bodies. */
#include "api/protobuf.h"
#include "api/schema.h"
#include "api/typename.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

/* --- every row of every kind has a number --- */

static bool has_number(const char *type, const char *member)
{
    _cleanup_free_ char *wanted = xasprintf("%s=", member);
    const char *numbers = protobuf_numbers(type);
    for (const char *s = numbers; s && *s;) {
        if (str_after(s, wanted))
            return true;
        size_t len = strcspn(s, " ");
        if (*s == '^') {
            _cleanup_free_ char *inlined = xstrndup(s + 1, strcspn(s, "=") - 1);
            if (has_number(inlined, member))
                return true;
        }
        s += len + (s[len] == ' ');
    }
    return false;
}

/* Type and version of a whole object are not in its message. */
static bool is_type_meta(const struct field *fields, const char *member)
{
    bool whole = false;
    for (const struct field *f = fields; f->name; f++)
        whole |= streq(f->name, "metadata");
    return whole && (streq(member, "apiVersion") || streq(member, "kind"));
}

static void check_numbers(const char *type, const struct field *fields, int depth)
{
    for (const struct field *f = fields; f && f->name && depth < 20; f++) {
        char member_type[TYPE_NAME_SIZE];
        if (!has_number(type, f->name) && !is_type_meta(fields, f->name))
            T_FAIL("%s.%s has no number", type, f->name);
        const struct field *item = f->type == F_LIST || f->type == F_MAP ? f->sub : f;
        if (item->type == F_OBJECT)
            check_numbers(type_name_of_member(type, f->name, member_type), item->sub, depth + 1);
    }
}

TEST(all_members_have_numbers)
{
    for (const struct kind *const *k = all_kinds; *k; k++) {
        char type[TYPE_NAME_SIZE];
        if ((*k)->json_only)
            continue;
        check_numbers(type_name_of_kind(*k, type), (*k)->fields, 0);
    }
    check_numbers("authentication.v1.TokenRequest", kind_tokenrequest.fields, 0);
}

/* --- bodies --- */

static void add_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_addc(b, (char)(v | 0x80));
    buf_addc(b, (char)v);
}

static void add_int(struct buf *b, unsigned number, int64_t v)
{
    add_varint(b, number << 3);
    add_varint(b, (uint64_t)v);
}

static void add_text(struct buf *b, unsigned number, const char *text)
{
    add_varint(b, number << 3 | 2);
    add_varint(b, strlen(text));
    buf_adds(b, text);
}

/* Takes the message's bytes. */
static void add_message(struct buf *b, unsigned number, struct buf *message)
{
    add_varint(b, number << 3 | 2);
    add_varint(b, message->len);
    buf_add(b, message->data, message->len);
    buf_done(message);
}

static void begin(struct buf *envelope, const char *api_version, const char *kind)
{
    struct buf type = BUF_INIT(0);
    buf_add(envelope, "k8s", 4);
    add_text(&type, 1, api_version);
    add_text(&type, 2, kind);
    add_message(envelope, 1, &type);
}

/* A Service named s with port 80 → "http" and a selector. */
static void make_service(struct buf *envelope)
{
    struct buf service = BUF_INIT(0), meta = BUF_INIT(0), spec = BUF_INIT(0), port = BUF_INIT(0), target = BUF_INIT(0);
    struct buf entry = BUF_INIT(0), no_time = BUF_INIT(0);
    add_text(&meta, 1, "s");
    add_message(&meta, 8, &no_time);
    add_int(&meta, 7, 0);
    add_message(&service, 1, &meta);
    add_text(&port, 2, "TCP");
    add_int(&port, 3, 80);
    add_int(&target, 1, 1);
    add_text(&target, 3, "http");
    add_message(&port, 4, &target);
    add_text(&port, 99, "from the future");
    add_message(&spec, 1, &port);
    add_text(&entry, 1, "app");
    add_text(&entry, 2, "web");
    add_message(&spec, 2, &entry);
    add_message(&service, 2, &spec);
    begin(envelope, "v1", "Service");
    add_message(envelope, 2, &service);
}

static json_t *decode(const struct kind *k, const struct buf *b, struct err *err)
{
    char type[TYPE_NAME_SIZE];
    return protobuf_decode(type_name_of_kind(k, type), k->fields, b->data, b->len, err);
}

TEST(a_service_is_read)
{
    struct buf body = BUF_INIT(0);
    struct err err;
    make_service(&body);
    _cleanup_json_ json_t *doc = decode(&kind_service, &body, &err);
    T_JSON(doc, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"s\",\"creationTimestamp\":null,"
                "\"generation\":0},"
                "\"spec\":{\"ports\":[{\"protocol\":\"TCP\",\"port\":80,\"targetPort\":\"http\"}],\"selector\":{"
                "\"app\":\"web\"}}}");
    buf_done(&body);
}

TEST(every_type_of_value)
{
    struct err err;
    struct buf body = BUF_INIT(0), pod = BUF_INIT(0), spec = BUF_INIT(0), container = BUF_INIT(0), limits = BUF_INIT(0);
    struct buf entry = BUF_INIT(0), quantity = BUF_INIT(0), volume = BUF_INIT(0), source = BUF_INIT(0),
               path = BUF_INIT(0);
    struct buf meta = BUF_INIT(0), when = BUF_INIT(0), security = BUF_INIT(0), groups = BUF_INIT(0);
    add_int(&when, 1, 1795170000);
    add_message(&meta, 8, &when);
    add_message(&pod, 1, &meta);
    add_text(&quantity, 1, "100m");
    add_text(&entry, 1, "cpu");
    add_message(&entry, 2, &quantity);
    add_message(&limits, 1, &entry);
    add_text(&container, 1, "c");
    add_message(&container, 8, &limits);
    add_text(&path, 1, "/tmp");
    add_message(&source, 1, &path);
    add_text(&volume, 1, "v");
    add_message(&volume, 2, &source);
    add_int(&security, 1, 0);
    add_message(&spec, 1, &volume);
    add_message(&spec, 2, &container);
    add_int(&spec, 4, -1);
    add_int(&spec, 11, 1);
    add_varint(&groups, 7);
    add_varint(&groups, 300);
    struct buf pod_security = BUF_INIT(0);
    add_message(&pod_security, 4, &groups); /* packed */
    add_int(&pod_security, 4, 9);           /* and not */
    add_message(&spec, 14, &pod_security);
    add_message(&pod, 2, &spec);
    begin(&body, "v1", "Pod");
    add_message(&body, 2, &pod);
    _cleanup_json_ json_t *doc = decode(&kind_pod, &body, &err);
    T_JSON(doc, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"creationTimestamp\":\"2026-11-20T10:20:00Z\"},"
                "\"spec\":{"
                "\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/"
                "tmp\"}}],\"containers\":[{\"name\":\"c\",\"resources\":{"
                "\"limits\":{\"cpu\":\"100m\"}}}],\"terminationGracePeriodSeconds\":-1,\"hostNetwork\":true,"
                "\"securityContext\":{"
                "\"supplementalGroups\":[7,300,9]}}}");
    buf_done(&security);
    buf_done(&body);
}

TEST(members_of_an_inlined_message_belong_to_the_one_it_is_in)
{
    struct buf body = BUF_INIT(0), ingress = BUF_INIT(0), spec = BUF_INIT(0), rule = BUF_INIT(0), value = BUF_INIT(0);
    struct buf http = BUF_INIT(0), path = BUF_INIT(0);
    struct err err;
    add_text(&path, 1, "/bar");
    add_text(&path, 3, "Exact");
    add_message(&http, 1, &path);
    add_message(&value, 1, &http);
    add_text(&rule, 1, "foo.com");
    add_message(&rule, 2, &value);
    add_message(&spec, 3, &rule);
    add_message(&ingress, 2, &spec);
    begin(&body, "networking.k8s.io/v1", "Ingress");
    add_message(&body, 2, &ingress);
    _cleanup_json_ json_t *doc = decode(&kind_ingress, &body, &err);
    T_JSON(jget(doc, "spec"), "{\"rules\":[{\"host\":\"foo.com\",\"http\":{\"paths\":[{\"path\":\"/bar\","
                              "\"pathType\":\"Exact\"}]}}]}");
    buf_done(&body);
}

TEST(secrets_are_base64)
{
    struct err err;
    struct buf body = BUF_INIT(0), secret = BUF_INIT(0), entry = BUF_INIT(0);
    add_text(&entry, 1, "key");
    add_text(&entry, 2, "value");
    add_message(&secret, 2, &entry);
    begin(&body, "v1", "Secret");
    add_message(&body, 2, &secret);
    _cleanup_json_ json_t *doc = decode(&kind_secret, &body, &err);
    T_JSON(jget(doc, "data"), "{\"key\":\"dmFsdWU=\"}");
    buf_done(&body);
}

TEST(broken_bodies_are_refused)
{
    struct buf body = BUF_INIT(0);
    struct err err = {0};
    make_service(&body);
    const size_t all = body.len;
    T_TRUE(!decode(&kind_service, &(struct buf){.data = (char *)"json", .len = 4}, &err));
    T_STR(err.msg, "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
    size_t refused = 0;
    for (body.len = 5; body.len < all; body.len++) { /* whatever is missing at the end, nothing is read behind it */
        _cleanup_json_ json_t *doc = decode(&kind_service, &body, &err);
        refused += doc == NULL;
    }
    T_TRUE(refused > (all - 5) / 2);
    body.data[all - 1] = (char)0xff; /* no UTF-8 */
    T_TRUE(!decode(&kind_service, &body, &err));
    buf_done(&body);
}

int main(void)
{
    RUN(all_members_have_numbers);
    RUN(a_service_is_read);
    RUN(every_type_of_value);
    RUN(members_of_an_inlined_message_belong_to_the_one_it_is_in);
    RUN(secrets_are_base64);
    RUN(broken_bodies_are_refused);
    return DONE();
}
