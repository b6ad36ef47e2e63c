"""The names of an export's signatures, by which clients and restorers ask for them."""

# Besides "serving_default".
INTERMEDIATE = "restore_with_intermediate"
FROM_BYTES = "restore_bytes"
WITH_KERNEL = "restore_with_kernel"
FROM_BYTES_WITH_KERNEL = "restore_bytes_with_kernel"
DESCRIBE = "describe"
