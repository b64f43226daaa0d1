/* Memory for the objects of a loop: blocks, the slabs they come from, and its way back. */
#include "support/test.h"

#include "base/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { SIZE = 200, COUNT = 20000 }; /* more than two pieces of address space have room for */

static struct cora__pool pool;
static unsigned char *blocks[COUNT];

static void set_up(void)
{
    cora__pool_init(&pool);
    if (pool.from_malloc) /* as in debug builds */
        skip();
}

static void take_all(void)
{
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = cora__pool_alloc(&pool, SIZE);
        assert_non_null(blocks[i]);
    }
}

static void give_all_back(void)
{
    for (int i = 0; i < COUNT; i++)
        cora__pool_free(&pool, blocks[i], SIZE);
}

/* Whether there is memory at the address. */
static bool is_mapped(const void *address)
{
    const uintptr_t page = 4096;
    unsigned char resident;

    if (mincore((void *)((uintptr_t)address & ~(page - 1)), 1, &resident) == 0)
        return true;
    assert_int_equal(errno, ENOMEM);
    return false;
}

TEST(blocks_begin_cache_lines_and_are_apart)
{
    set_up();
    take_all();
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal((uintptr_t)blocks[i] % CORA__POOL_LINE, 0);
        memset(blocks[i], i & 0xff, SIZE);
    }
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < SIZE; k += SIZE - 1)
            assert_int_equal(blocks[i][k], i & 0xff);
    give_all_back();
    cora__pool_destroy(&pool);
}

TEST(the_last_block_freed_is_the_first_used_again)
{
    set_up();
    take_all();
    cora__pool_free(&pool, blocks[1], SIZE);
    cora__pool_free(&pool, blocks[2], SIZE);
    assert_ptr_equal(cora__pool_alloc(&pool, SIZE), blocks[2]);
    assert_ptr_equal(cora__pool_alloc(&pool, SIZE), blocks[1]);
    give_all_back();
    cora__pool_destroy(&pool);
}

TEST(slabs_without_blocks_go_back_once_the_pool_has_stopped_growing)
{
    set_up();
    take_all();
    for (int i = 1; i < COUNT; i++)
        cora__pool_free(&pool, blocks[i], SIZE);
    assert_true(cora__pool_trim(&pool));
    assert_true(is_mapped(blocks[COUNT - 1]));
    assert_false(cora__pool_trim(&pool));
    assert_false(is_mapped(blocks[COUNT - 1]));
    assert_true(is_mapped(blocks[0])); /* the slab of one that is in use */
    cora__pool_free(&pool, blocks[0], SIZE);
    cora__pool_destroy(&pool);
    assert_false(is_mapped(blocks[0]));
}

TEST(what_was_never_cut_into_slabs_goes_back_with_the_pool)
{
    set_up();

    char *block = cora__pool_alloc(&pool, SIZE);

    assert_non_null(block);
    assert_true(is_mapped(block + CORA__POOL_SLAB));
    cora__pool_free(&pool, block, SIZE);
    cora__pool_destroy(&pool);
    assert_false(is_mapped(block));
    assert_false(is_mapped(block + CORA__POOL_SLAB));
}

TEST(what_is_larger_comes_from_malloc)
{
    const size_t size = (size_t)CORA__POOL_SIZES * CORA__POOL_LINE + 1;

    set_up();

    char *block = cora__pool_alloc(&pool, size);

    assert_non_null(block);
    memset(block, 1, size);
    cora__pool_free(&pool, block, size);
    assert_null(pool.uncut);
    cora__pool_destroy(&pool);
}
