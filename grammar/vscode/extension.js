// Starts `eosdsl lsp` and lets VS Code speak to it. Everything else is in the server.
"use strict";

const { commands, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const [command, ...args] = workspace.getConfiguration("eosdsl").get("server.command", ["eosdsl", "lsp"]);
  const { server, ...options } = workspace.getConfiguration().get("eosdsl", {});
  client = new LanguageClient(
    "eosdsl",
    "eos",
    { command, args },
    {
      documentSelector: [{ language: "eos" }],
      initializationOptions: options,
      synchronize: { configurationSection: "eosdsl", fileEvents: workspace.createFileSystemWatcher("**/*.eos") },
    },
  );
  try {
    await client.start();
  } catch (problem) {
    const remedy = "Install it with: pip install 'eosdsl[lsp]', or set eosdsl.server.command.";
    window.showErrorMessage(`eos: the language server did not start (${problem.message}). ${remedy}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  try {
    await running?.stop();
  } catch {
    // it never started, or is gone already
  }
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    commands.registerCommand("eosdsl.restart", restart),
    workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("eosdsl.server.command") && restart()),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
