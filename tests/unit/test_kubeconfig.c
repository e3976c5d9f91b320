/* server/kubeconfig: our entries go in beside the user's and come out again without a trace. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "json/json.h"
#include "json/yaml.h"
#include "server/pki.h"
#include "t.h"

static char dir[] = "/tmp/c8s-test-kubeconfig-XXXXXX";
static char path[96];
static struct err err;
static struct pki pki; /* files with short texts: base64 of "CA" and so on */

static void write_file(const char *p, const char *text)
{
    T_INT(file_write_atomic(p, text, strlen(text), 0600, &err), 0);
}

static char *slurp(void)
{
    return file_read(path, 1 << 20, NULL, &err);
}

static json_t *parsed(void)
{
    _cleanup_free_ char *text = slurp();
    return text ? yaml_parse(text, strlen(text), &err) : NULL;
}

static void expect(const char *want)
{
    _cleanup_json_ json_t *got = parsed();
    T_JSON(got, want);
}

#define URL "https://172.28.128.2:6443"
#define CLUSTER "{\"name\":\"c8s\",\"cluster\":{\"certificate-authority-data\":\"Q0E=\",\"server\":\"" URL "\"}}"
#define USER "{\"name\":\"c8s\",\"user\":{\"client-certificate-data\":\"Q0VSVA==\",\"client-key-data\":\"S0VZ\"}}"
#define CONTEXT(more) "{\"name\":\"c8s\",\"context\":{\"cluster\":\"c8s\",\"user\":\"c8s\"" more "}}"
#define BEFORE(name) ",\"extensions\":[{\"name\":\"c8s\",\"extension\":{\"previous-context\":\"" name "\"}}]"

TEST(a_fresh_file_reads_well)
{
    T_INT(kubeconfig_write(path, URL, &pki, &err), 0);
    _cleanup_free_ char *text = slurp();
    T_STR(text, "apiVersion: v1\n"
                "kind: Config\n"
                "clusters:\n"
                "- name: c8s\n"
                "  cluster:\n"
                "    certificate-authority-data: Q0E=\n"
                "    server: https://172.28.128.2:6443\n"
                "contexts:\n"
                "- name: c8s\n"
                "  context:\n"
                "    cluster: c8s\n"
                "    user: c8s\n"
                "current-context: c8s\n"
                "users:\n"
                "- name: c8s\n"
                "  user:\n"
                "    client-certificate-data: Q0VSVA==\n"
                "    client-key-data: S0VZ\n");
    struct stat st;
    T_TRUE(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    kubeconfig_remove(path, &pki);
    T_TRUE(access(path, F_OK) < 0); /* nothing else was in it */
}

static const char theirs[] = "# the user's own\n"
                             "apiVersion: v1\n"
                             "kind: Config\n"
                             "preferences: {colors: true}\n"
                             "current-context: work\n"
                             "clusters:\n"
                             "- {name: work, cluster: {server: 'https://work'}}\n"
                             "contexts:\n"
                             "- {name: work, context: {cluster: work, user: me, namespace: \"123\"}}\n"
                             "users:\n"
                             "- {name: me, user: {token: \"007\"}}\n";
#define THEIR_CLUSTER "{\"name\":\"work\",\"cluster\":{\"server\":\"https://work\"}}"
#define THEIR_CONTEXT "{\"name\":\"work\",\"context\":{\"cluster\":\"work\",\"user\":\"me\",\"namespace\":\"123\"}}"
#define THEIR_USER "{\"name\":\"me\",\"user\":{\"token\":\"007\"}}"
#define HEAD "\"apiVersion\":\"v1\",\"kind\":\"Config\",\"preferences\":{\"colors\":true}"
#define THEIRS                                                                                                         \
    "{" HEAD ",\"current-context\":\"work\",\"clusters\":[" THEIR_CLUSTER "],\"contexts\":[" THEIR_CONTEXT             \
    "],\"users\":[" THEIR_USER "]}"
#define MERGED                                                                                                         \
    "{" HEAD ",\"current-context\":\"c8s\",\"clusters\":[" THEIR_CLUSTER "," CLUSTER "],\"contexts\":[" THEIR_CONTEXT  \
    "," CONTEXT(BEFORE("work")) "],\"users\":[" THEIR_USER "," USER "]}"

TEST(other_entries_are_kept_and_the_current_context_comes_back)
{
    write_file(path, theirs);
    T_INT(kubeconfig_write(path, URL, &pki, &err), 0);
    expect(MERGED);
    T_INT(kubeconfig_write(path, URL, &pki, &err), 0); /* twice is once */
    expect(MERGED);
    kubeconfig_remove(path, &pki);
    expect(THEIRS);
    kubeconfig_remove(path, &pki);
    expect(THEIRS);
}

TEST(entries_of_another_cluster_of_the_same_name_stay)
{
    T_INT(kubeconfig_write(path, URL, &pki, &err), 0);
    write_file(pki.ca_cert, "another CA");
    kubeconfig_remove(path, &pki);
    expect(MERGED);
    write_file(pki.ca_cert, "CA");
    kubeconfig_remove(path, &pki);
    expect(THEIRS);
}

TEST(null_sections_and_empty_files_are_fine)
{
    static const char *const texts[] = {
        "",
        "\n \n",
        "apiVersion: v1\nkind: Config\nclusters: null\ncontexts: null\nusers: null\ncurrent-context: \"\"\n",
        "apiVersion: v1\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        write_file(path, texts[i]);
        T_INT(kubeconfig_write(path, URL, &pki, &err), 0);
        _cleanup_json_ json_t *got = parsed();
        T_STR(jstr(got, "current-context"), "c8s");
        T_JSON(jget(got, "clusters"), "[" CLUSTER "]");
        T_JSON(jget(got, "contexts"), "[" CONTEXT("") "]");
    }
}

TEST(what_is_no_kubeconfig_is_refused_and_left_alone)
{
    static const char *const texts[] = {"a: [", "- 1\n", "kind: Pod\n", "just text\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        write_file(path, texts[i]);
        T_INT(kubeconfig_write(path, URL, &pki, &err), -1);
        T_TRUE(strstr(err.msg, path) == err.msg);
        kubeconfig_remove(path, &pki);
        _cleanup_free_ char *text = slurp();
        T_STR(text, texts[i]);
    }
}

TEST(a_symbolic_link_stays_one)
{
    _cleanup_free_ char *target = xasprintf("%s/target", dir);
    struct stat st;
    unlink(path);
    write_file(target, theirs);
    T_INT(symlink(target, path), 0);
    T_INT(kubeconfig_write(path, URL, &pki, &err), 0);
    T_TRUE(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
    expect(MERGED);
    unlink(path);
}

int main(void)
{
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/home/.kube/config", dir);
    pki.ca_cert = xasprintf("%s/ca.crt", dir);
    pki.admin_cert = xasprintf("%s/admin.crt", dir);
    pki.admin_key = xasprintf("%s/admin.key", dir);
    write_file(pki.ca_cert, "CA");
    write_file(pki.admin_cert, "CERT");
    write_file(pki.admin_key, "KEY");
    RUN(a_fresh_file_reads_well);
    RUN(other_entries_are_kept_and_the_current_context_comes_back);
    RUN(entries_of_another_cluster_of_the_same_name_stay);
    RUN(null_sections_and_empty_files_are_fine);
    RUN(what_is_no_kubeconfig_is_refused_and_left_alone);
    RUN(a_symbolic_link_stays_one);
    tree_remove(dir, &err);
    pki_done(&pki);
    return DONE();
}
