/* SPDX-License-Identifier: MIT */
/*
 * The walk down the trees of one snapshot: main database, named databases, free list. It descends
 * depth first with one page buffer per level. A page is claimed before it is read and can be
 * claimed once, so the walk ends after at most as many reads as the file has pages, whatever the
 * file says.
 */
#include "lmdb-store/integrity_walk.h"
#include "lmdb-store/scope.h"

#include <fcntl.h>
#include <stdlib.h>

struct tree;
typedef struct rrs_error *leaf_check(struct tree *tree, uint64_t page,
                                     const struct lmdb_node *node);

struct tree {
    struct rrs_integrity_walk *walk;
    struct lmdb_db db;
    uint64_t head_page; /* where `db` is stored, for messages */
    bool is_free_list;
    int visitor_tag; /* -1: no visitor wants the records */
    leaf_check *check_leaf_node;
    uint8_t *pages; /* a page per level */
    uint32_t integer_key_bytes;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
};

/* The keys that a subtree may hold: from `lower` on, before `upper`; NULL: no limit. */
struct bounds {
    const struct lmdb_node *lower;
    const struct lmdb_node *upper;
};

static struct rrs_error *read_page(struct rrs_integrity_walk *walk, uint64_t number, uint8_t *page)
{
    if (number >= walk->file_pages)
        return rrs_integrity_damage(walk, number, "lies behind the file's end");
    return rrs_integrity_read(walk, number * walk->page_bytes, page, walk->page_bytes);
}

static struct rrs_error *check_db_head(const struct tree *tree)
{
    const struct lmdb_db *db = &tree->db;
    bool empty = db->root == LMDB_NO_PAGE;
    if (db->flags & LMDB_DB_DUPLICATES)
        return rrs_error_path(RRS_ERROR_UNSUPPORTED, tree->walk->path,
                              "page %llu: a database with sorted duplicates",
                              (unsigned long long)tree->head_page);
    if (db->flags & ~(LMDB_DB_REVERSE_KEY | LMDB_DB_INTEGER_KEY))
        return rrs_integrity_damage(tree->walk, tree->head_page, "database flags are 0x%x",
                                    db->flags);
    if (db->depth > LMDB_MAX_DEPTH || (db->depth == 0) != empty)
        return rrs_integrity_damage(tree->walk, tree->head_page, "a tree of depth %u", db->depth);
    if (empty && (db->entries || db->branch_pages || db->leaf_pages || db->overflow_pages))
        return rrs_integrity_damage(tree->walk, tree->head_page, "a tree without root has entries");
    return NULL;
}

static struct rrs_error *check_count(const struct tree *tree, const char *what, uint64_t said,
                                     uint64_t found)
{
    if (said == found)
        return NULL;
    return rrs_integrity_damage(tree->walk, tree->head_page,
                                "the database says %llu %s, its tree has %llu",
                                (unsigned long long)said, what, (unsigned long long)found);
}

static struct rrs_error *check_bounds(const struct tree *tree, uint64_t number, const uint8_t *page,
                                      const struct bounds *bounds)
{
    bool branch = lmdb_u16(page + 10) == LMDB_PAGE_BRANCH;
    unsigned keys = lmdb_page_keys(page);
    unsigned first_index = branch ? 1 : 0;
    if (first_index >= keys)
        return NULL;
    struct lmdb_node first = lmdb_node_at(page, first_index);
    struct lmdb_node last = lmdb_node_at(page, keys - 1);
    uint16_t flags = tree->db.flags;
    if (bounds->lower && rrs_integrity_compare(flags, &first, bounds->lower) < 0)
        return rrs_integrity_damage(tree->walk, number, "entries belong before this page");
    if (bounds->upper && rrs_integrity_compare(flags, &last, bounds->upper) >= 0)
        return rrs_integrity_damage(tree->walk, number, "entries belong behind this page");
    return NULL;
}

/* The pages of an overflow run: the first one has a head, the value follows it through all. */
static struct rrs_error *check_overflow(struct tree *tree, uint64_t page,
                                        const struct lmdb_node *node)
{
    struct rrs_integrity_walk *walk = tree->walk;
    uint64_t first = lmdb_u64(node->value);
    uint64_t needed =
        ((uint64_t)node->value_bytes + LMDB_HEAD_BYTES + walk->page_bytes - 1) / walk->page_bytes;
    RRS_TRY(rrs_integrity_claim(walk, first, 1, true));
    uint8_t head[LMDB_HEAD_BYTES];
    RRS_TRY(rrs_integrity_read(walk, first * walk->page_bytes, head, sizeof head));
    if (lmdb_u64(head) != first)
        return rrs_integrity_damage(walk, first, "calls itself page %llu",
                                    (unsigned long long)lmdb_u64(head));
    if (lmdb_u16(head + 10) != LMDB_PAGE_OVERFLOW)
        return rrs_integrity_damage(walk, first, "is no overflow page (flags 0x%x)",
                                    lmdb_u16(head + 10));
    uint64_t count = lmdb_u32(head + 12);
    if (count < needed)
        return rrs_integrity_damage(
            walk, first, "a value of %u bytes (page %llu) in %llu overflow pages",
            node->value_bytes, (unsigned long long)page, (unsigned long long)count);
    tree->overflow_pages += count;
    return rrs_integrity_claim(walk, first + 1, count - 1, true);
}

/* Asks the kernel to fetch the heads of a leaf's overflow runs together: on a cold file they are
 * far apart, and one by one each would cost a seek. A hint only, so its result does not matter. */
static void prefetch_overflow_heads(const struct tree *tree, const uint8_t *page)
{
    const struct rrs_integrity_walk *walk = tree->walk;
    unsigned keys = lmdb_page_keys(page);
    for (unsigned i = 0; i < keys; i++) {
        struct lmdb_node node = lmdb_node_at(page, i);
        if (!(node.flags & LMDB_NODE_BIGDATA))
            continue;
        uint64_t first = lmdb_u64(node.value);
        if (first < walk->file_pages)
            posix_fadvise(walk->fd, (off_t)(first * walk->page_bytes), LMDB_HEAD_BYTES,
                          POSIX_FADV_WILLNEED);
    }
}

static struct rrs_error *show_large_record(const struct tree *tree, const struct lmdb_node *node)
{
    const struct rrs_integrity_visitor *visitor = tree->walk->visitor;
    uint64_t offset = lmdb_u64(node->value) * tree->walk->page_bytes + LMDB_HEAD_BYTES;
    _cleanup_free_ uint8_t *value = malloc(node->value_bytes);
    if (!value)
        return rrs_error_no_memory();
    RRS_TRY(rrs_integrity_read(tree->walk, offset, value, node->value_bytes));
    visitor->record(visitor->context, tree->visitor_tag, node->key, node->key_bytes, value,
                    node->value_bytes);
    return NULL;
}

static struct rrs_error *show_record(const struct tree *tree, const struct lmdb_node *node)
{
    const struct rrs_integrity_visitor *visitor = tree->walk->visitor;
    if (tree->visitor_tag < 0)
        return NULL;
    if (node->flags & LMDB_NODE_BIGDATA)
        return show_large_record(tree, node);
    visitor->record(visitor->context, tree->visitor_tag, node->key, node->key_bytes, node->value,
                    node->value_bytes);
    return NULL;
}

static struct rrs_error *check_leaf(struct tree *tree, uint64_t number, const uint8_t *page)
{
    unsigned keys = lmdb_page_keys(page);
    tree->leaf_pages++;
    tree->entries += keys;
    prefetch_overflow_heads(tree, page);
    for (unsigned i = 0; i < keys; i++) {
        struct lmdb_node node = lmdb_node_at(page, i);
        if (node.flags & LMDB_NODE_BIGDATA)
            RRS_TRY(check_overflow(tree, number, &node));
        RRS_TRY(tree->check_leaf_node(tree, number, &node));
        RRS_TRY(show_record(tree, &node));
    }
    return NULL;
}

static struct rrs_error *check_subtree(struct tree *tree, uint64_t number, unsigned level,
                                       const struct bounds *bounds);

static struct rrs_error *check_branch(struct tree *tree, uint64_t number, const uint8_t *page,
                                      unsigned level, const struct bounds *bounds)
{
    unsigned keys = lmdb_page_keys(page);
    if (keys < 2 && !tree->is_free_list) /* liblmdb asserts this, and excepts its free list */
        return rrs_integrity_damage(tree->walk, number, "branch page with a single child");
    tree->branch_pages++;
    struct lmdb_node node = lmdb_node_at(page, 0);
    const struct lmdb_node *lower = bounds->lower;
    for (unsigned i = 0; i < keys; i++) {
        bool last = i + 1 == keys;
        struct lmdb_node next = last ? node : lmdb_node_at(page, i + 1);
        struct bounds below = {lower, last ? bounds->upper : &next};
        RRS_TRY(check_subtree(tree, node.child, level + 1, &below));
        node = next;
        lower = &node;
    }
    return NULL;
}

static struct rrs_error *check_subtree(struct tree *tree, uint64_t number, unsigned level,
                                       const struct bounds *bounds)
{
    struct rrs_integrity_walk *walk = tree->walk;
    uint8_t *page = tree->pages + (uint64_t)level * walk->page_bytes;
    bool leaf = level + 1 == tree->db.depth;
    RRS_TRY(rrs_integrity_claim(walk, number, 1, true));
    RRS_TRY(read_page(walk, number, page));
    RRS_TRY(rrs_integrity_page_check(walk, number, page, leaf ? LMDB_PAGE_LEAF : LMDB_PAGE_BRANCH));
    RRS_TRY(rrs_integrity_page_order(walk, number, page, tree->db.flags, &tree->integer_key_bytes));
    RRS_TRY(check_bounds(tree, number, page, bounds));
    if (leaf)
        return check_leaf(tree, number, page);
    return check_branch(tree, number, page, level, bounds);
}

static struct rrs_error *check_tree(struct tree *tree)
{
    struct rrs_integrity_walk *walk = tree->walk;
    RRS_TRY(check_db_head(tree));
    if (tree->db.depth == 0)
        return NULL;
    _cleanup_free_ uint8_t *pages = malloc((size_t)tree->db.depth * walk->page_bytes);
    if (!pages)
        return rrs_error_no_memory();
    tree->pages = pages;
    RRS_TRY(check_subtree(tree, tree->db.root, 0, &(struct bounds){NULL, NULL}));
    RRS_TRY(check_count(tree, "branch pages", tree->db.branch_pages, tree->branch_pages));
    RRS_TRY(check_count(tree, "leaf pages", tree->db.leaf_pages, tree->leaf_pages));
    RRS_TRY(check_count(tree, "overflow pages", tree->db.overflow_pages, tree->overflow_pages));
    RRS_TRY(check_count(tree, "entries", tree->db.entries, tree->entries));
    walk->report.branch_pages += tree->branch_pages;
    walk->report.leaf_pages += tree->leaf_pages;
    walk->report.overflow_pages += tree->overflow_pages;
    return NULL;
}

static struct rrs_error *check_plain_node(struct tree *tree, uint64_t page,
                                          const struct lmdb_node *node)
{
    if (node->flags & ~LMDB_NODE_BIGDATA)
        return rrs_integrity_damage(tree->walk, page, "an entry has the flags 0x%x", node->flags);
    return NULL;
}

static struct rrs_error *check_main_node(struct tree *tree, uint64_t page,
                                         const struct lmdb_node *node)
{
    struct rrs_integrity_walk *walk = tree->walk;
    const struct rrs_integrity_visitor *visitor = walk->visitor;
    if (node->flags != LMDB_NODE_SUBDATA)
        return check_plain_node(tree, page, node);
    if (node->value_bytes != LMDB_DB_BYTES)
        return rrs_integrity_damage(walk, page, "a database record of %u bytes", node->value_bytes);
    struct tree named = {
        .walk = walk,
        .db = lmdb_db_decode(node->value),
        .head_page = page,
        .visitor_tag = visitor ? visitor->choose(visitor->context, node->key, node->key_bytes) : -1,
        .check_leaf_node = check_plain_node,
    };
    RRS_TRY(check_tree(&named));
    walk->report.databases++;
    walk->report.entries += named.entries;
    return NULL;
}

struct rrs_error *rrs_integrity_main_check(struct rrs_integrity_walk *walk,
                                           const struct lmdb_meta *meta)
{
    struct tree tree = {
        .walk = walk,
        .db = meta->main,
        .head_page = meta->transaction & 1,
        .visitor_tag = -1,
        .check_leaf_node = check_main_node,
    };
    RRS_TRY(check_tree(&tree));
    walk->report.entries += tree.entries - walk->report.databases;
    return NULL;
}

/* Reads the page numbers of one record of the free list through a small buffer; the value is either
 * in the leaf (`inside`) or at `offset` of the file. */
struct free_ids {
    struct rrs_integrity_walk *walk;
    const uint8_t *inside; /* NULL: in the file */
    uint64_t offset;
    uint64_t left;
    uint32_t buffered;
    uint32_t next;
    uint64_t buffer[512];
};

static struct rrs_error *next_free_id(struct free_ids *ids, uint64_t *id)
{
    if (ids->next == ids->buffered) {
        uint32_t room = sizeof ids->buffer / sizeof ids->buffer[0];
        ids->buffered = ids->left < room ? (uint32_t)ids->left : room;
        ids->next = 0;
        uint32_t bytes = ids->buffered * (uint32_t)sizeof(uint64_t);
        if (ids->inside) {
            memcpy(ids->buffer, ids->inside, bytes);
            ids->inside += bytes;
        } else {
            RRS_TRY(rrs_integrity_read(ids->walk, ids->offset, ids->buffer, bytes));
            ids->offset += bytes;
        }
        ids->left -= ids->buffered;
    }
    *id = ids->buffer[ids->next++];
    return NULL;
}

static struct rrs_error *claim_free_ids(struct free_ids *ids, uint64_t page, uint64_t count)
{
    uint64_t previous = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id;
        RRS_TRY(next_free_id(ids, &id));
        if (id >= previous)
            return rrs_integrity_damage(ids->walk, page, "a list of free pages is out of order");
        previous = id;
        RRS_TRY(rrs_integrity_claim(ids->walk, id, 1, false));
    }
    ids->walk->report.free_pages += count;
    return NULL;
}

/* One record of the free list: transaction → count, then so many page numbers, highest first. */
static struct rrs_error *check_free_node(struct tree *tree, uint64_t page,
                                         const struct lmdb_node *node)
{
    struct rrs_integrity_walk *walk = tree->walk;
    RRS_TRY(check_plain_node(tree, page, node));
    if (node->key_bytes != sizeof(uint64_t))
        return rrs_integrity_damage(walk, page, "a free list key of %u bytes", node->key_bytes);
    if (lmdb_u64(node->key) > walk->report.transaction)
        return rrs_integrity_damage(walk, page, "pages freed by transaction %llu, after the last",
                                    (unsigned long long)lmdb_u64(node->key));
    uint64_t words = node->value_bytes / sizeof(uint64_t);
    if (words == 0 || node->value_bytes % sizeof(uint64_t))
        return rrs_integrity_damage(walk, page, "a free list record of %u bytes",
                                    node->value_bytes);
    bool outside = node->flags & LMDB_NODE_BIGDATA;
    struct free_ids ids = {.walk = walk, .inside = outside ? NULL : node->value, .left = words};
    if (outside)
        ids.offset = lmdb_u64(node->value) * walk->page_bytes + LMDB_HEAD_BYTES;
    uint64_t count;
    RRS_TRY(next_free_id(&ids, &count));
    if (count > words - 1)
        return rrs_integrity_damage(walk, page, "%llu free pages in a record for %llu",
                                    (unsigned long long)count, (unsigned long long)words - 1);
    return claim_free_ids(&ids, page, count);
}

struct rrs_error *rrs_integrity_free_list_check(struct rrs_integrity_walk *walk,
                                                const struct lmdb_meta *meta)
{
    struct tree tree = {
        .walk = walk,
        .db = meta->free_list,
        .head_page = meta->transaction & 1,
        .visitor_tag = -1,
        .is_free_list = true,
        .check_leaf_node = check_free_node,
    };
    return check_tree(&tree);
}

struct rrs_error *rrs_integrity_free_list_newest(struct rrs_integrity_walk *walk,
                                                 const struct lmdb_meta *meta,
                                                 uint64_t *transaction)
{
    const struct lmdb_db *db = &meta->free_list;
    if (db->depth == 0) {
        *transaction = 0;
        return NULL;
    }
    _cleanup_free_ uint8_t *page = malloc(walk->page_bytes);
    if (!page)
        return rrs_error_no_memory();
    uint64_t number = db->root;
    for (unsigned level = 0;; level++) {
        bool leaf = level + 1 >= db->depth;
        RRS_TRY(read_page(walk, number, page));
        RRS_TRY(
            rrs_integrity_page_check(walk, number, page, leaf ? LMDB_PAGE_LEAF : LMDB_PAGE_BRANCH));
        struct lmdb_node node = lmdb_node_at(page, lmdb_page_keys(page) - 1);
        if (leaf && node.key_bytes != sizeof(uint64_t))
            return rrs_integrity_damage(walk, number, "a free list key of %u bytes",
                                        node.key_bytes);
        if (leaf) {
            *transaction = lmdb_u64(node.key);
            return NULL;
        }
        number = node.child;
    }
}
