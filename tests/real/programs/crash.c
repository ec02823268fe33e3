/* Dies on a null pointer, three calls deep, for a debugger to look at. */
#include <stddef.h>

struct node {
    int value;
    struct node *next;
};

static int last(const struct node *node)
{
    return node->next->value;
}

static int middle(struct node *node, int depth)
{
    int doubled = depth * 2;
    return depth ? middle(node, depth - 1) + doubled : last(node);
}

int main(void)
{
    struct node node = {42, NULL};
    return middle(&node, 2);
}
