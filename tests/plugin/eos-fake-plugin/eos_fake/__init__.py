"""Everything that a package can add to eosdsl, one file each."""
