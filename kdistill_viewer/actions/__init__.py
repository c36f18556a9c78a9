"""Every action as data: its id, title, keys and handler; menus, tool bar and the list of keys are made from it."""
