/* A custom runtime in C without a library: answers each event with itself, over one connection each. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16], answer[1 << 16];

static int call(const char *text, size_t size, struct sockaddr_in *api) {
  int line = socket(AF_INET, SOCK_STREAM, 0);
  if (line < 0 || connect(line, (struct sockaddr *)api, sizeof *api)) exit(2);
  if (write(line, text, size) != (ssize_t)size) exit(3);
  size_t have = 0;
  for (;;) {
    ssize_t got = read(line, buffer + have, sizeof buffer - 1 - have);
    if (got <= 0) exit(4);
    have += got;
    buffer[have] = 0;
    char *end = strstr(buffer, "\r\n\r\n");
    char *length = strcasestr(buffer, "content-length: ");
    if (end && length && have >= (size_t)(end + 4 - buffer) + atol(length + 16)) break;
  }
  close(line);
  return 0;
}

int main(void) {
  char host[64];
  strncpy(host, getenv("AWS_LAMBDA_RUNTIME_API"), sizeof host - 1);
  char *port = strchr(host, ':');
  *port++ = 0;
  struct sockaddr_in api = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  inet_pton(AF_INET, host, &api.sin_addr);
  const char *next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
  for (;;) {
    call(next, strlen(next), &api);
    char *id = strcasestr(buffer, "lambda-runtime-aws-request-id: ") + 31;
    int id_size = strcspn(id, "\r");
    char *body = strstr(buffer, "\r\n\r\n") + 4;
    int size = snprintf(answer, sizeof answer,
                        "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: api\r\n"
                        "Content-Length: %zu\r\n\r\n%s", id_size, id, strlen(body), body);
    call(answer, size, &api);
  }
}
