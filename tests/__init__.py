"""The tests; a regular package, because some distribution installs a package of this name as well."""
