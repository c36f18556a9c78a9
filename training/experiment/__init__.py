"""The experiment: does a student that learns from a teacher's reasoning beat one trained on the reports themselves?

Arms of equal data, student and budget, at two levels of noise in the reports, over several seeds; docs/results.md is
its page. Every file here is one step: settings, cases, texts, arms, targets, training, answers, statistics, page.
"""
