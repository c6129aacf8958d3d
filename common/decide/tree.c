/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members in the order of (due, member bytes): a treap whose priorities are the hashes of the names, so
 * its shape depends on what is in it and on nothing else.
 */
#include "fold_priv.h"

int key_cmp(int64_t due_a, struct str a, int64_t due_b, struct str b)
{
    if (due_a != due_b)
        return due_a < due_b ? -1 : 1;
    return str_cmp(a, b);
}

static int cmp(const struct node *a, const struct node *b)
{
    return key_cmp(a->due, node_name(a), b->due, node_name(b));
}

void tree_add(struct tree *t, struct node *m)
{
    struct node **at = &t->root, **l = &m->left, **r = &m->right, *cut;
    while (*at && (*at)->hash > m->hash)
        at = cmp(*at, m) < 0 ? &(*at)->right : &(*at)->left;
    cut = *at;
    while (cut) {
        if (cmp(cut, m) < 0) {
            *l = cut;
            l = &cut->right;
            cut = cut->right;
        } else {
            *r = cut;
            r = &cut->left;
            cut = cut->left;
        }
    }
    *l = *r = NULL;
    *at = m;
    m->in_tree = true;
    t->n++;
}

void tree_del(struct tree *t, struct node *m)
{
    struct node **at = &t->root, *a = m->left, *b = m->right;
    while (*at != m)
        at = cmp(*at, m) < 0 ? &(*at)->right : &(*at)->left;
    while (a && b) {
        if (a->hash > b->hash) {
            *at = a;
            at = &a->right;
            a = a->right;
        } else {
            *at = b;
            at = &b->left;
            b = b->left;
        }
    }
    *at = a ? a : b;
    m->in_tree = false;
    t->n--;
}

struct node *tree_min(const struct tree *t)
{
    struct node *m = t->root;
    while (m && m->left)
        m = m->left;
    return m;
}

struct node *tree_max(const struct tree *t)
{
    struct node *m = t->root;
    while (m && m->right)
        m = m->right;
    return m;
}

struct node *tree_after(const struct tree *t, int64_t due, struct str member)
{
    struct node *m = t->root, *best = NULL;
    while (m) {
        if (key_cmp(m->due, node_name(m), due, member) > 0) {
            best = m;
            m = m->left;
        } else {
            m = m->right;
        }
    }
    return best;
}
