"""A package from outside: everything in it enters by entry points, as the built-in operators, rules and models do."""
