"""The names of an export's signatures, as clients and restorers request them."""

# In addition to "serving_default".
INTERMEDIATE = "restore_with_intermediate"
FROM_BYTES = "restore_bytes"
WITH_KERNEL = "restore_with_kernel"
FROM_BYTES_WITH_KERNEL = "restore_bytes_with_kernel"
DESCRIBE = "describe"
