# Blocks that a query opens are counted where they are decoded.
target_link_options(query_test PRIVATE -Wl,--wrap=gg_block_decode)
