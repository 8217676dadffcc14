"""The language server: a feature a file, each a pure function of a document; `eosdsl.lsp.serve` speaks for them."""
