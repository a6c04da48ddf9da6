/* SPDX-License-Identifier: Apache-2.0 */
/* base/http against servers of our own on loopback that send exact bytes. */
#include "base/http.h"
#include "tests/tap.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a server: one reply per connection, in order ---- */

enum then {
    THEN_CLOSE,
    THEN_HANG,
    THEN_REPEAT /* the last bytes, until nobody listens */
};

struct reply {
    const char *bytes;
    enum then then;
    const char *repeated;
};

struct server {
    int listener, port, log; /* log: requests, each after its length */
    pid_t child;
};

static void server_listen(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, length) < 0
        || listen(server->listener, 8) < 0
        || getsockname(server->listener, (struct sockaddr *)&address, &length) < 0)
        exit(99);
    server->port = ntohs(address.sin_port);
}

/* Headers and as much body as they announce. */
static void read_request(int fd, struct buf *out)
{
    char bytes[4096];
    for (;;) {
        const char *end = strstr(out->data, "\r\n\r\n");
        const char *length = strcasestr(out->data, "content-length: ");
        size_t want = length == NULL ? 0 : (size_t)strtol(length + 16, NULL, 10);
        if (end != NULL && out->len >= (size_t)(end + 4 - out->data) + want)
            return;
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got <= 0)
            return;
        buf_add(out, bytes, (size_t)got);
    }
}

static void serve_one(int fd, int log, const struct reply *reply)
{
    BUF_AUTO request;
    buf_init(&request, 1 << 20);
    read_request(fd, &request);
    uint32_t length = (uint32_t)request.len;
    if (write(log, &length, sizeof length) < 0 || write(log, request.data, length) < 0
        || write(fd, reply->bytes, strlen(reply->bytes)) < 0)
        _exit(1);
    while (reply->then == THEN_REPEAT
           && write(fd, reply->repeated, strlen(reply->repeated)) > 0)
        ;
    char rest[64];
    if (reply->then == THEN_CLOSE) {
        shutdown(fd, SHUT_WR); /* a close with bytes unread would reset the connection */
        while (read(fd, rest, sizeof rest) > 0)
            ;
    }
    if (reply->then == THEN_HANG) {
        struct pollfd waiting = {.fd = fd, .events = POLLRDHUP};
        poll(&waiting, 1, 30000);
    }
    close(fd);
}

static void server_serve(struct server *server, const struct reply *replies, size_t count)
{
    int fds[2];
    if (pipe(fds) < 0)
        exit(99);
    fflush(stdout);
    server->child = fork();
    if (server->child == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(fds[0]);
        for (size_t i = 0; i < count; i++) {
            int fd = accept(server->listener, NULL, NULL);
            if (fd >= 0)
                serve_one(fd, fds[1], &replies[i]);
        }
        _exit(0);
    }
    close(fds[1]);
    close(server->listener);
    server->log = fds[0];
}

/* The next request that was made; "" where there is none before the server ended. */
static void server_request(struct server *server, struct buf *out)
{
    uint32_t length = 0;
    buf_clear(out);
    if (read(server->log, &length, sizeof length) != (ssize_t)sizeof length)
        return;
    char bytes[4096];
    while (out->len < length) {
        size_t want = length - out->len < sizeof bytes ? length - out->len : sizeof bytes;
        ssize_t got = read(server->log, bytes, want);
        if (got <= 0)
            return;
        buf_add(out, bytes, (size_t)got);
    }
}

static void server_stop(struct server *server)
{
    kill(server->child, SIGKILL);
    waitpid(server->child, NULL, 0);
    close(server->log);
}

/* ---- asking ---- */

enum { PATIENCE_MS = 20000, IMPATIENCE_MS = 100 };
static const char secret[] = "ghs_secretsecret";
static struct err err;

static int ask(const char *method, const char *url, const char *body, unsigned timeout_ms,
               struct http_response *response)
{
    static const char *const headers[] = {"X-Extra: yes", NULL};
    struct http_request request = {.method = method,
                                   .url = url,
                                   .accept = "text/x-test",
                                   .token = secret,
                                   .headers = headers,
                                   .body = body,
                                   .body_len = body == NULL ? 0 : strlen(body),
                                   .timeout_ms = timeout_ms};
    err = (struct err){0};
    int result = http_send(&request, response, &err);
    OK(strstr(err.text, secret) == NULL);
    return result;
}

static const char *url_of(const struct server *server, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

static void test_plain(void)
{
    static const struct reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n"
                  "LINK: <http://x/1?a=b,c;d>; title=\"rel=next, no\"; rel=\"last\","
                  " <http://x/2?page=2>; rel=\"prev next\"\r\nRetry-After:  7 \r\n"
                  "X-RateLimit-Remaining: 0\r\nx-ratelimit-reset: 4102444800\r\n"
                  "Content-Length: 2\r\n\r\n{}"},
        {.bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
    };
    struct server server;
    struct http_response response;
    BUF_AUTO request;
    buf_init(&request, 1 << 16);
    http_response_init(&response, 100);
    server_listen(&server);
    server_serve(&server, replies, 2);
    tap_case("headers that we act on are read");
    OK(ask("GET", url_of(&server, "/a?b=c"), NULL, PATIENCE_MS, &response) == 0);
    EQ_INT(response.status, 200);
    EQ_STR(response.body.data, "{}");
    EQ_STR(response.link_next, "http://x/2?page=2");
    EQ_STR(response.content_type, "application/json; charset=utf-8");
    EQ_INT(response.retry_after_s, 7);
    EQ_INT(response.rate_remaining, 0);
    EQ_INT(response.rate_reset, 4102444800);
    tap_case("the request is as asked");
    server_request(&server, &request);
    HAS(request.data, "GET /a?b=c HTTP/1.1\r\n");
    HAS(request.data, "User-Agent: ratchet/");
    HAS(request.data, "Accept: text/x-test\r\n");
    HAS(request.data, "X-Extra: yes\r\n");
    HAS(request.data, "Authorization: Bearer ghs_secretsecret\r\n");
    tap_case("a refusal is an answer, and nothing of the last one is left");
    OK(ask("POST", url_of(&server, "/p"), "{\"a\":1}", PATIENCE_MS, &response) == 0);
    EQ_INT(response.status, 404);
    EQ_STR(response.body.data, "");
    EQ_STR(response.link_next, "");
    EQ_INT(response.retry_after_s, -1);
    EQ_INT(response.rate_remaining, -1);
    EQ_INT(response.rate_reset, -1);
    EQ_STR(response.content_type, "");
    server_request(&server, &request);
    HAS(request.data, "POST /p HTTP/1.1\r\n");
    HAS(request.data, "Content-Type: application/json");
    HAS(request.data, "Content-Length: 7\r\n");
    HAS(request.data, "\r\n\r\n{\"a\":1}");
    OK(strstr(request.data, "Expect") == NULL);
    server_stop(&server);
    tap_case("nobody there");
    OK(ask("GET", url_of(&server, "/gone"), NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "GET http://127.0.0.1:");
    HAS(err.text, "/gone: could not connect: ");
    http_response_free(&response);
}

static void test_bodies(void)
{
    static const struct reply replies[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "4\r\nab\r\n\r\n6\r\ncdefgh\r\n0\r\n\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\n\r\nuntil the end"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefX"},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         .then = THEN_REPEAT,
         .repeated = "8\r\n01234567\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab"},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab"},
    };
    struct server server;
    struct http_response response;
    http_response_init(&response, 16);
    server_listen(&server);
    server_serve(&server, replies, sizeof replies / sizeof replies[0]);
    const char *url = url_of(&server, "/");
    tap_case("chunked, and ended by closing");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) == 0);
    EQ_STR(response.body.data, "ab\r\ncdefgh");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) == 0);
    EQ_STR(response.body.data, "until the end");
    tap_case("as long as allowed, and one byte more");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) == 0);
    EQ_INT(response.body.len, 16);
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    HAS(err.text, "longer than 16 bytes");
    tap_case("a body without an end");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    tap_case("a body that breaks off is no answer");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    tap_case("broken chunks");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    server_stop(&server);
    http_response_free(&response);
}

static void test_garbage(void)
{
    static const struct reply replies[] = {
        {.bytes = "", .then = THEN_HANG},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", .then = THEN_HANG},
        {.bytes = ""},
        {.bytes = "220 mail.example.org ESMTP\r\n"},
        {.bytes = "HTTP/1.1 200 OK\r\n",
         .then = THEN_REPEAT,
         .repeated = "X-More: of it\r\n"},
    };
    struct server server;
    struct http_response response;
    http_response_init(&response, 1000);
    server_listen(&server);
    server_serve(&server, replies, sizeof replies / sizeof replies[0]);
    const char *url = url_of(&server, "/");
    tap_case("silence, before and within the answer");
    for (int i = 0; i < 2; i++) {
        OK(ask("GET", url, NULL, IMPATIENCE_MS, &response) < 0);
        EQ_INT(err.class, ERR_TIMEOUT);
        HAS(err.text, "within 100 ms");
    }
    tap_case("closed at once");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "without an answer");
    tap_case("not HTTP");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "not HTTP");
    tap_case("headers without an end");
    OK(ask("GET", url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    HAS(err.text, "headers");
    server_stop(&server);
    http_response_free(&response);
}

static void redirect_to(char out[512], long status, const struct server *server,
                        const char *path)
{
    snprintf(
        out, 512,
        "HTTP/1.1 %ld Moved\r\nLocation: http://127.0.0.1:%d%s\r\nContent-Length: 4\r\n"
        "Link: <http://x>; rel=next\r\n\r\nmove",
        status, server->port, path);
}

static void test_redirects(void)
{
    static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    struct server home, away;
    struct http_response response;
    BUF_AUTO request;
    char to_two[512], to_three[512], to_away[512], loop[512];
    buf_init(&request, 1 << 16);
    http_response_init(&response, 1000);
    server_listen(&home);
    server_listen(&away);
    redirect_to(to_two, 301, &home, "/two");
    redirect_to(to_three, 307, &home, "/three?x=1");
    redirect_to(to_away, 307, &away, "/away");
    redirect_to(loop, 308, &home, "/loop");
    const struct reply at_home[] = {
        {.bytes = to_two},   {.bytes = done},
        {.bytes = to_three}, {.bytes = to_two},
        {.bytes = done},     {.bytes = to_away},
        {.bytes = to_away},  {.bytes = loop},
        {.bytes = loop},     {.bytes = loop},
        {.bytes = loop},
        {.bytes = "HTTP/1.1 302 Found\r\nLocation: http://x:y@127.0.0.1/\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes =
             "HTTP/1.1 302 Found\r\nLocation: /relative\r\nContent-Length: 0\r\n\r\n"},
        {.bytes = done},
        {.bytes = "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                  "Content-Length: 0\r\n\r\n"},
        {.bytes = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
    };
    server_serve(&home, at_home, sizeof at_home / sizeof at_home[0]);

    tap_case("followed within the origin, token and all");
    OK(ask("GET", url_of(&home, "/one"), NULL, PATIENCE_MS, &response) == 0);
    EQ_STR(response.body.data, "done");
    EQ_STR(response.link_next, "");
    server_request(&home, &request);
    HAS(request.data, secret);
    server_request(&home, &request);
    HAS(request.data, "GET /two ");
    HAS(request.data, secret);

    tap_case("a write too, method and body as they were");
    OK(ask("PATCH", url_of(&home, "/write"), "{\"a\":1}", PATIENCE_MS, &response) == 0);
    EQ_STR(response.body.data, "done");
    static const char *const asked[] = {"PATCH /write ", "PATCH /three?x=1 ", "PATCH /two "};
    for (size_t i = 0; i < 3; i++) {
        server_request(&home, &request);
        HAS(request.data, asked[i]);
        HAS(request.data, secret);
        HAS(request.data, "{\"a\":1}");
    }

    tap_case("to another port it is refused, and nothing is sent there");
    static const char *const methods[] = {"GET", "POST"};
    for (size_t i = 0; i < 2; i++) {
        OK(ask(methods[i], url_of(&home, "/four"), i == 0 ? NULL : "{}", PATIENCE_MS,
               &response) < 0);
        EQ_INT(err.class, ERR_AUTH);
        HAS(err.text, "307 to `http://127.0.0.1:");
        HAS(err.text, "/away`, which is another server: refused");
        server_request(&home, &request);
    }
    struct pollfd waiting = {.fd = away.listener, .events = POLLIN};
    EQ_INT(poll(&waiting, 1, 0), 0); /* nobody connected */

    tap_case("not for ever");
    OK(ask("GET", url_of(&home, "/loop"), NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_HOST);
    HAS(err.text, "more than 3 redirects");
    for (int i = 0; i < 4; i++)
        server_request(&home, &request);

    tap_case("nor to an address with a name in it");
    OK(ask("GET", url_of(&home, "/user"), NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_AUTH);
    HAS(err.text, "`…@…`");
    server_request(&home, &request);

    tap_case("relative, to a file, to nowhere");
    OK(ask("GET", url_of(&home, "/a/b"), NULL, PATIENCE_MS, &response) == 0);
    EQ_STR(response.body.data, "done");
    server_request(&home, &request);
    server_request(&home, &request);
    HAS(request.data, "GET /relative ");
    OK(ask("GET", url_of(&home, "/file"), NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_AUTH);
    OK(ask("GET", url_of(&home, "/nowhere"), NULL, PATIENCE_MS, &response) == 0);
    EQ_INT(response.status, 302);
    server_stop(&home);
    close(away.listener);
    http_response_free(&response);
}

static void test_links(void)
{
    static const struct {
        const char *header, *next;
    } cases[] = {
        {"<http://x/2>; rel=\"next\", <http://x/9>; rel=\"last\"", "http://x/2"},
        {"<http://x/1>; rel=\"prev\", <http://x/3>; rel=\"next\"", "http://x/3"},
        {"<http://x/2>;rel=next", "http://x/2"},
        {"<http://x/2> ; REL = \"NEXT\"", "http://x/2"},
        {"<http://x/2>; rel=\"nextish\"", ""},
        {"<http://x/2>; rel=\"x-next\"", ""},
        {"<http://x/2>; prel=\"next\"", ""},
        {"<http://x/2>; title=\"; rel=next\"; rel=prev", ""},
        {"<http://x/2?q=<3>; rel=next", "http://x/2?q=<3"},
        {"<http://x/2>, <http://x/3>; rel=next", "http://x/3"},
        {"<http://x/2>; rel=\"next", "http://x/2"},
        {"http://x/2; rel=next", ""},
        {"<http://x/2", ""},
        {"<", ""},
        {";;;,,,===\"\"\"", ""},
        {"", ""},
    };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    static char bytes[COUNT + 4][4096];
    struct reply replies[COUNT + 4] = {0};
    struct server server;
    struct http_response response;
    http_response_init(&response, 1000);
    for (size_t i = 0; i < COUNT; i++)
        snprintf(bytes[i], sizeof bytes[i],
                 "HTTP/1.1 200 OK\r\nLink: %s\r\nContent-Length: 0\r\n\r\n",
                 cases[i].header);
    snprintf(bytes[COUNT], sizeof bytes[0],
             "HTTP/1.1 200 OK\r\nLink: <http://x/%01100d>; rel=next\r\n"
             "Content-Length: 0\r\n\r\n",
             7);
    snprintf(
        bytes[COUNT + 1], sizeof bytes[0],
        "HTTP/1.1 103 Early\r\nLink: <http://x/early>; rel=next\r\nRetry-After: 9\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Ratelimit-Remaining: many\r\n\r\n");
    snprintf(bytes[COUNT + 2], sizeof bytes[0],
             "HTTP/1.1 503 Later\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
             "X-Ratelimit-Reset: 99999999999999999999999\r\nContent-Length: 0\r\n\r\n");
    snprintf(bytes[COUNT + 3], sizeof bytes[0],
             "HTTP/1.1 503 Later\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n");
    for (size_t i = 0; i < COUNT + 4; i++)
        replies[i].bytes = bytes[i];
    server_listen(&server);
    server_serve(&server, replies, COUNT + 4);
    tap_case("the next page");
    for (size_t i = 0; i < COUNT; i++) {
        OK(ask("GET", url_of(&server, "/"), NULL, PATIENCE_MS, &response) == 0);
        EQ_STR(response.link_next, cases[i].next);
    }
    tap_case("a next page that cannot be named is not the last page");
    OK(ask("GET", url_of(&server, "/"), NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_LIMIT);
    tap_case("an interim answer's headers are not the answer's");
    OK(ask("GET", url_of(&server, "/"), NULL, PATIENCE_MS, &response) == 0);
    EQ_INT(response.status, 200);
    EQ_STR(response.link_next, "");
    EQ_INT(response.retry_after_s, -1);
    EQ_INT(response.rate_remaining, -1);
    tap_case("a date to wait for, a number beyond reason, one below zero");
    OK(ask("GET", url_of(&server, "/"), NULL, PATIENCE_MS, &response) == 0);
    OK(response.retry_after_s > 3600);
    NEAR((double)response.retry_after_s, difftime(4102444800, time(NULL)), 60);
    EQ_INT(response.rate_reset, -1);
    OK(ask("GET", url_of(&server, "/"), NULL, PATIENCE_MS, &response) == 0);
    EQ_INT(response.retry_after_s, -1);
    server_stop(&server);
    http_response_free(&response);
}

static void test_urls(void)
{
    static const char *const bad[] = {
        "",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "/relative",
        "http//x",
        "gopher://x/",
        "http://user:hunter2@127.0.0.1/",
        "http://hunter2@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/a b",
    };
    struct http_response response;
    http_response_init(&response, 10);
    tap_case("addresses that are refused before anything is sent");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        OK(ask("GET", bad[i], NULL, PATIENCE_MS, &response) < 0);
        EQ_INT(err.class, ERR_INPUT);
        OK(strstr(err.text, "hunter2") == NULL);
    }
    static char long_url[8192] = "http://127.0.0.1/";
    memset(long_url + strlen(long_url), 'a', 5000);
    OK(ask("GET", long_url, NULL, PATIENCE_MS, &response) < 0);
    EQ_INT(err.class, ERR_INPUT);

    tap_case("a token that would start another header");
    struct http_request request = {.method = "GET",
                                   .url = "http://127.0.0.1:1/",
                                   .token = "abc\r\nX-Evil: 1",
                                   .timeout_ms = PATIENCE_MS};
    OK(http_send(&request, &response, &err) < 0);
    EQ_INT(err.class, ERR_INPUT);
    OK(strstr(err.text, "abc") == NULL);
    http_response_free(&response);

    tap_case("same scheme, host and port");
    OK(http_same_origin("https://api.github.com/a", "https://api.github.com:443/b?c"));
    OK(http_same_origin("HTTPS://API.GitHub.com", "https://api.github.com"));
    OK(!http_same_origin("https://api.github.com", "http://api.github.com"));
    OK(!http_same_origin("https://api.github.com", "https://api.github.com:444"));
    OK(!http_same_origin("https://api.github.com", "https://api.github.com.evil.org"));
    OK(!http_same_origin("https://api.github.com", "https://api.github.com@evil.org/"));
    OK(!http_same_origin("https://api.github.com", "https://evil.org\\@api.github.com/"));
    OK(!http_same_origin("https://api.github.com", "//api.github.com/"));
    OK(!http_same_origin("file:///a", "file:///a"));
    OK(!http_same_origin("", ""));

    tap_case("escaped for a path or a query");
    BUF_AUTO text;
    buf_init(&text, 100);
    http_escape(&text, "a-b._~/?&=%+# \n\xc3\xa4");
    EQ_STR(text.data, "a-b._~%2F%3F%26%3D%25%2B%23%20%0A%C3%A4");
}

int main(void)
{
    setenv("no_proxy", "*", 1);
    setenv("NO_PROXY", "*", 1);
    signal(SIGPIPE, SIG_IGN);
    test_plain();
    test_bodies();
    test_garbage();
    test_redirects();
    test_links();
    test_urls();
    return tap_done();
}
