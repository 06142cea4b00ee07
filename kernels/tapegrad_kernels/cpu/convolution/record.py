"""What a call tells the native side: one record of 64-bit integers.

Sizes are in elements, addresses in bytes. The three kernels share one layout. In
an input gradient of stride 1, which is itself a correlation, "source" is the
gradient of the output and the sizes are exchanged accordingly.
"""

from __future__ import annotations

(
    TABLE,  # of micro-kernels, which also knows the element's size
    SOURCE,  # images (batch, height, width, groups * depth)
    TARGET,  # images (batch, out_height, out_width, groups * columns)
    WEIGHTS,  # as the call gave them
    PACKED,  # weights in panels, one set for each group
    BIAS,
    FLAGS,
    BATCH,
    HEIGHT,
    WIDTH,
    DEPTH,  # channels of the source in a group
    KERNEL_HEIGHT,
    KERNEL_WIDTH,
    STRIDE_Y,
    STRIDE_X,
    DILATION_Y,
    DILATION_X,
    PAD_TOP,
    PAD_LEFT,
    OUT_HEIGHT,
    OUT_WIDTH,
    COLUMNS,  # channels of the target in a group
    GROUPS,
    MERGED,  # whether a row of the window is one run of memory: no dilation, one group
    GATHERED,  # whether windows are copied side by side (im2col, a few rows at a time)
    PADDED,  # whether rows are copied between zeros
    STRIP,  # rows of the target, or positions, that are handled at a time
    WORKSPACE,
    WORKSPACE_BYTES,  # of one part
    PARTS,
    ROW_PARTS,
    COLUMN_PARTS,
    REDUCTION_PARTS,
    PARTIALS,  # sums of reductions that are cut
    PACKER,  # address of the block that packs the weights; 0 leaves them where they are
    TASKS,  # panels to pack
    PACKED_BYTES,
    RUNNER,  # address of the block that computes the parts
    LAUNCHER,  # address of the block that runs parts on all threads
    UNITS,  # pieces that the work can be cut into
    WORK,  # multiplications
    X_BLOCK,  # positions of a row that are handled at a time
    LENGTH,
) = range(43)
HEADER_BYTES = 512
"""Head of a call's workspace, where its record stands."""
