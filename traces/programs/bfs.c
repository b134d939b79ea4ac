// Breadth-first search over a random graph in compressed rows. Usage: bfs [LOG2_VERTICES] [DEGREE]
//
// The neighbours of each vertex are drawn with a skew towards low numbers, as in social graphs, and vertex v + 1 is one
// of them, so that all vertices are reached. Checked: each edge spans at most one level, and each vertex has a parent
// one level above.

#include "roi.h"

int main(int argc, char **argv) {
  int vertices = 1 << hbm_argument(argc, argv, 1, 15);
  int degree = hbm_argument(argc, argv, 2, 8);
  uint32_t *start = hbm_alloc(sizeof(uint32_t) * (vertices + 1));
  uint32_t *neighbour = hbm_alloc(sizeof(uint32_t) * vertices * degree);
  int32_t *level = hbm_alloc(sizeof(int32_t) * vertices);
  uint32_t *parent = hbm_alloc(sizeof(uint32_t) * vertices);
  uint32_t *queue = hbm_alloc(sizeof(uint32_t) * vertices);
  for (int v = 0; v < vertices; v++) {
    start[v] = v * degree;
    level[v] = -1;
    neighbour[v * degree] = (v + 1) % vertices;
    for (int i = 1; i < degree; i++) {
      uint64_t draw = hbm_random();
      uint32_t to = (uint32_t)(draw >> 40) % vertices;
      neighbour[v * degree + i] = draw & 1 ? to & (uint32_t)(draw >> 8) : to;
    }
  }
  start[vertices] = vertices * degree;

  hbm_roi_begin();
  uint32_t head = 0, tail = 0;
  queue[tail++] = 0;
  level[0] = 0;
  parent[0] = 0;
  while (head < tail) {
    uint32_t from = queue[head++];
    for (uint32_t e = start[from]; e < start[from + 1]; e++) {
      uint32_t to = neighbour[e];
      if (level[to] < 0) {
        level[to] = level[from] + 1;
        parent[to] = from;
        queue[tail++] = to;
      }
    }
  }
  hbm_roi_end();

  int good = tail == (uint32_t)vertices;
  for (int v = 0; v < vertices; v++) {
    good &= level[v] >= 0 && (v == 0 || level[v] == level[parent[v]] + 1);
    for (uint32_t e = start[v]; e < start[v + 1]; e++) good &= level[neighbour[e]] <= level[v] + 1;
  }
  return hbm_verdict("bfs", good);
}
