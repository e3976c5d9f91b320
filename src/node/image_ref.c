/* Image references as people write them, made whole. Grammar: github.com/distribution/reference. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "node/image.h"

#define REFERENCE_MAX 512 /* upstream: 255 for the name, 128 for the tag */

/* Is the part before the first '/' a registry? Docker's rule: it has a dot or a port, or is localhost. */
static bool is_registry(const char *part, size_t len)
{
    return memchr(part, '.', len) || memchr(part, ':', len) || (len == 9 && memcmp(part, "localhost", 9) == 0);
}

/* Path components: lower-case letters and digits, separated by single '.', '_', '__' or runs of '-'. */
static bool name_is_good(const char *s, size_t len)
{
    bool separator = true; /* a component may not begin with one */
    for (size_t i = 0; i < len; i++) {
        if (islower((unsigned char)s[i]) || isdigit((unsigned char)s[i]))
            separator = false;
        else if (s[i] == '/' || s[i] == '.' ? separator : s[i] != '-' && s[i] != '_')
            return false;
        else if (separator && (i == 0 || s[i - 1] == '/'))
            return false;
        else
            separator = s[i] == '/' || s[i] == '.';
    }
    return len && !separator && s[len - 1] != '-' && s[len - 1] != '_';
}

static bool tag_is_good(const char *s)
{
    size_t n = 0;
    for (; s[n]; n++)
        if (!isalnum((unsigned char)s[n]) && s[n] != '_' && (n == 0 || (s[n] != '.' && s[n] != '-')))
            return false;
    return n >= 1 && n <= 128;
}

static bool digest_is_good(const char *s)
{
    const char *hex = str_after(s, "sha256:");
    return hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

char *image_normalize(const char *ref)
{
    if (strlen(ref) > REFERENCE_MAX)
        return NULL;
    const char *slash = strchr(ref, '/'), *rest = ref, *registry = "docker.io";
    _cleanup_free_ char *own_registry = NULL;
    if (slash && is_registry(ref, (size_t)(slash - ref))) {
        registry = own_registry = xstrndup(ref, (size_t)(slash - ref));
        rest = slash + 1;
        if (streq(registry, "index.docker.io"))
            registry = "docker.io";
    }
    const char *digest = strchr(rest, '@');
    size_t len = digest ? (size_t)(digest - rest) : strlen(rest);
    const char *tag = memchr(rest, ':', len);
    size_t name_len = tag ? (size_t)(tag - rest) : len;
    _cleanup_free_ char *own_tag = tag ? xstrndup(tag + 1, len - name_len - 1) : NULL;
    if (!name_is_good(rest, name_len) || (tag && !tag_is_good(own_tag)) || (digest && !digest_is_good(digest + 1)))
        return NULL;
    const char *library = streq(registry, "docker.io") && !memchr(rest, '/', name_len) ? "library/" : "";
    if (digest) /* a digest says it all; the tag beside it is decoration */
        return xasprintf("%s/%s%.*s%s", registry, library, (int)name_len, rest, digest);
    return xasprintf("%s/%s%.*s:%s", registry, library, (int)name_len, rest, tag ? own_tag : "latest");
}
