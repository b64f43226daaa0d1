/* The intrusive list: order, and leaving it without being told which list it is. */
#include "support/test.h"

#include "base/list.h"

struct item {
    char letter;
    struct cora__list link;
};

static struct item items[] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}};

static void init_items(void)
{
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        cora__list_init(&items[i].link);
}

/* The letters in `list`; "broken" where the way back is not the way there. */
static const char *letters(const struct cora__list *list)
{
    static char text[8];
    size_t length = 0;

    for (const struct cora__list *link = list->next; link != list; link = link->next) {
        if (link->next->prev != link || link->prev->next != link || length + 1 == sizeof text)
            return "broken";
        text[length++] = cora__container_of(link, const struct item, link)->letter;
    }
    text[length] = '\0';
    return list->next->prev == list && list->prev->next == list ? text : "broken";
}

static void append(struct cora__list *list, const char *which)
{
    for (; *which != '\0'; which++)
        cora__list_append(list, &items[*which - 'a'].link);
}

TEST(a_new_list_is_empty)
{
    struct cora__list list;

    cora__list_init(&list);
    assert_true(cora__list_empty(&list));
    assert_string_equal(letters(&list), "");
}

TEST(appended_nodes_stand_in_their_order)
{
    struct cora__list list;

    cora__list_init(&list);
    append(&list, "abc");
    assert_false(cora__list_empty(&list));
    assert_string_equal(letters(&list), "abc");
}

TEST(a_prepended_node_stands_first)
{
    struct cora__list list;

    cora__list_init(&list);
    cora__list_prepend(&list, &items[1].link);
    cora__list_prepend(&list, &items[0].link);
    cora__list_append(&list, &items[2].link);
    assert_string_equal(letters(&list), "abc");
}

TEST(a_node_leaves_from_the_front_the_middle_and_the_end)
{
    struct cora__list list;

    cora__list_init(&list);
    append(&list, "abcd");
    cora__list_remove(&items[1].link);
    assert_string_equal(letters(&list), "acd");
    cora__list_remove(&items[0].link);
    assert_string_equal(letters(&list), "cd");
    cora__list_remove(&items[3].link);
    assert_string_equal(letters(&list), "c");
    cora__list_remove(&items[2].link);
    assert_true(cora__list_empty(&list));
}

TEST(a_removed_node_is_in_no_list_and_may_be_removed_again)
{
    struct cora__list list;

    cora__list_init(&list);
    append(&list, "abc");
    cora__list_remove(&items[1].link);
    assert_true(cora__list_empty(&items[1].link));
    cora__list_remove(&items[1].link);
    assert_true(cora__list_empty(&items[1].link));
    assert_string_equal(letters(&list), "ac");
}

TEST(a_node_that_was_never_in_a_list_may_be_removed)
{
    init_items();
    cora__list_remove(&items[0].link);
    assert_true(cora__list_empty(&items[0].link));
}

TEST(a_node_leaves_whatever_list_it_is_in)
{
    struct cora__list first, second;

    cora__list_init(&first);
    cora__list_init(&second);
    append(&first, "ab");
    append(&second, "cd");
    cora__list_remove(&items[0].link);
    append(&second, "a");
    cora__list_remove(&items[2].link);
    assert_string_equal(letters(&first), "b");
    assert_string_equal(letters(&second), "da");
}

TEST(unlink_takes_a_node_out_which_may_then_go_into_another_list)
{
    struct cora__list list, other;

    cora__list_init(&list);
    cora__list_init(&other);
    append(&list, "abc");
    cora__list_unlink(list.next);
    assert_string_equal(letters(&list), "bc");
    append(&other, "a");
    cora__list_unlink(list.next);
    append(&other, "b");
    cora__list_unlink(list.next);
    append(&other, "c");
    assert_true(cora__list_empty(&list));
    assert_string_equal(letters(&other), "abc");
}

TEST(splice_moves_all_nodes_behind_those_of_the_other_list)
{
    struct cora__list list, from;

    cora__list_init(&list);
    cora__list_init(&from);
    append(&list, "ab");
    append(&from, "cd");
    cora__list_splice(&list, &from);
    assert_string_equal(letters(&list), "abcd");
    assert_true(cora__list_empty(&from));
}

TEST(splice_into_an_empty_list_moves_all_nodes)
{
    struct cora__list list, from;

    cora__list_init(&list);
    cora__list_init(&from);
    append(&from, "abc");
    cora__list_splice(&list, &from);
    assert_string_equal(letters(&list), "abc");
    assert_true(cora__list_empty(&from));
    append(&from, "d");
    assert_string_equal(letters(&from), "d");
}

TEST(splice_of_an_empty_list_changes_nothing)
{
    struct cora__list list, from;

    cora__list_init(&list);
    cora__list_init(&from);
    append(&list, "ab");
    cora__list_splice(&list, &from);
    assert_string_equal(letters(&list), "ab");
    assert_true(cora__list_empty(&from));
}
