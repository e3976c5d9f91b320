/* server/html_links.h: which texts of a page are links, and that nothing else is touched. */
#include "server/html_links.h"

#include <string.h>

#include "base/alloc.h"
#include "t.h"

static char *with_prefix(void *arg, const char *link)
{
    return *link == '/' ? xasprintf("%s%s", (const char *)arg, link) : NULL;
}

/* Fed in pieces of this size. */
static char *rewritten(const char *page, size_t piece)
{
    char prefix[] = "/p";
    struct buf out = BUF_INIT(0);
    struct html_links *h = html_links_new(with_prefix, prefix);
    for (size_t at = 0, len = strlen(page); at < len; at += piece)
        html_links_feed(h, page + at, len - at < piece ? len - at : piece, &out);
    html_links_feed(h, NULL, 0, &out);
    html_links_free(h);
    char *text = buf_take(&out);
    return text ? text : xstrdup("");
}

static const struct {
    const char *page, *expected; /* NULL: as it is */
} rows[] = {
    {"<a href=\"/x\">/y</a>", "<a href=\"/p/x\">/y</a>"},
    {"<A\n HREF = '/x' class=/c>", "<A\n HREF = '/p/x' class=/c>"},
    {"<img src=/i.png alt=/x><img src=/j>", "<img src=/p/i.png alt=/x><img src=/p/j>"},
    {"<link/href='/s.css'/><br/>", "<link/href='/p/s.css'/><br/>"},
    {"<form method=post action=\"/do?a=/b\">", "<form method=post action=\"/p/do?a=/b\">"},
    {"<video poster=/a src=/b data=/c>", "<video poster=/p/a src=/p/b data=/c>"},
    {"<a href=\"rel\"><a href=\"#x\"><a href=\"\"><a href><p href=/x>", NULL},
    {"<!-- <a href=\"/x\"> -- > --><!DOCTYPE a href='/x'>< a href='/x'>1<2</a href='/x'>", NULL},
    {"<!--><a href=/x>-->", "<!--><a href=/p/x>-->"},
    {"<!---><a href=/x>", "<!---><a href=/p/x>"},
    {"<script src=/s>var a = '<a href=\"/x\">'; </scriptx></script ><a href=/y>",
     "<script src=/p/s>var a = '<a href=\"/x\">'; </scriptx></script ><a href=/p/y>"},
    {"<title><a href=/x></title><style><</style><a href=/y>",
     "<title><a href=/x></title><style><</style><a href=/p/y>"},
    {"<a href=\"/cut", NULL},
    {"<a href='/a>b'>\xff", "<a href='/p/a>b'>\xff"},
    {"<averyveryverylongname href=/x>", NULL},
};

TEST(links_are_changed_and_nothing_else)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece < 9; piece += 7) {
            _cleanup_free_ char *got = rewritten(rows[i].page, piece);
            T_STR(got, rows[i].expected ? rows[i].expected : rows[i].page);
        }
}

TEST(endless_links_are_passed_on)
{
    size_t len = 20000;
    char *page = xmalloc(len + 1);
    memset(page, 'x', len);
    page[len] = '\0';
    memcpy(page, "<a href='/", 10);
    page[len - 1] = '\'';
    _cleanup_free_ char *got = rewritten(page, 4096);
    T_STR(got, page);
    free(page);
}

int main(void)
{
    RUN(links_are_changed_and_nothing_else);
    RUN(endless_links_are_passed_on);
    return DONE();
}
