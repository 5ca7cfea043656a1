"""Questions about now and about the asker, as far as phrases show them."""

from __future__ import annotations

import time

import pytest

from cascade.cache.rules.subjects import is_about_now, is_about_the_asker
from cascade.types import Message, Request
from tests.cache.entries import asked

NOW = """
What is today's date?
what’s today’s date
What's the date?
What is the date today?
what day is it
What time is it in Tokyo?
What year is it?
What year are we in?
Do you know the time?
What's the weather like in Koblenz?
How is the weather?
Weather in Paris
Weather forecast for Berlin
Will it rain tomorrow?
Who won last night?
What are the latest iPhones?
What is the latest version of Python?
Who is the current president of France?
What's the current price of gold?
What is your current version?
What is currently the tallest building?
Is the museum open now?
Is the museum open right now?
What can I see now?
Who is playing now?
What is happening now in Peru?
Any news on the strike?
What's in the news?
breaking news
Summarise this week's events
What are the best films this year?
What happened yesterday?
What is the exchange rate of euro and dollar?
What is the stock price of Siemens?
What is the score of the Dortmund game?
How many days until Christmas?
How long until the eclipse?
What is the most recent release of Rust?
Any recent developments in fusion?
Where can I go tonight?
Is it raining?
Is the Pope still alive?
What's the situation at the moment?
What   time\tis it
latest
What's new in Python?
current weather
Current time in Tokyo
time in Tokyo
news
Summarize the news
How's the traffic?
What day of the week is it?
Which season is it?
What was the date two weeks ago?
When is the next train to Berlin?
upcoming concerts in Berlin
What is trending?
Is the pharmacy open?
Is GitHub down?
What is the score?
Price of bitcoin
days until Christmas
How many days left in the year?
What is happening in Ukraine?
What's going on in the world?
WHAT IS THE DATE
"""
LASTING = """
Which rivers meet in Koblenz?
Do you know who wrote Faust?
I have nowhere to go. Write a poem about it.
Now, write a poem about the Rhine.
Now that we have defined x, solve for y.
Explain why snow is white.
What is the time complexity of quicksort?
How does an electric current flow in a wire?
What is the current in a circuit of 5 ohms at 10 volts?
Explain alternating current.
What is the current directory in bash?
Return the current node of a linked list.
Submit it by Friday at the latest.
How do companies weather a recession?
From now on answer in French.
Translate "newspaper" into German.
What is the day-to-day work of a nurse?
Knowing that 2 + 2 = 4, what is 3 + 3?
How many days are in a leap year?
What is the capital of France?
What date did the war end?
What time did the Titanic sink?
Presently is a synonym of soon.
I know that.
Explain the newspaper industry.
What is alternating current?
What's a current mirror circuit?
Explain the current account of a country.
What does datetime.now() return?
What does the SQL function NOW() return?
What term is given to a score of one over par in golf?
What is the score function in statistics?
He was in despair over the news he had received.
What is happening in this function?
What is a price?
What is the last digit of 2^100?
In the next chapter, what happens?
How many weeks are there in a year?
What is a day trader?
What is weather?
Write a function that parses a timestamp.
"""
MINE = """
What is my balance?
my balance
What's my account balance
Where is my order?
where's my package
When does my flight leave?
When is my next appointment?
Show me my last three invoices
Cancel my subscription
What is my name?
Who am I?
How much do I owe?
How much did I spend?
What did I order?
Did I pay the bill?
Do I have any meetings?
When am I due?
What do you know about me?
How many tickets do I have?
Am I eligible?
Please reset my password
What is my credit card limit?
what's my e-mail
What's my wife's birthday?
Where do I live?
How old am I?
What is my age?
“What’s my balance?”
Well—my balance, please
Which plan am I on?
When do I get paid?
status of my application
What is our account balance?
Is my flight delayed?
Why was my card charged twice?
"""
NOBODYS = """
What is a balance sheet?
Which rivers meet in Koblenz?
Why does my function return None?
Why is my code slow?
What is my code doing wrong?
Is my reasoning right that 2 + 2 = 4?
How do I reverse a list in Python?
How do I pay attention?
What should I cook with eggs and flour?
Correct my essay: The river flow fast.
How can I learn German?
What did I just ask?
Write a story about a dog named Myron.
Am I right that Koblenz lies on the Rhine?
Do I need a comma here?
In my opinion, Kant was right. Was he?
In my opinion…
My function raises a TypeError. Why?
What is wrong with my regex?
What is a current account?
I am two years older than my sister, who is nine. How old am I?
I have a neck but no head. Who am I?
Today is my birthday and I am twice as old as six years ago. What is my age?
Whosoever brings evil into our order must be expelled. Why?
Who wrote "My Fair Lady"?
my_list = [1, 2]; what is my_list[0]?
Is it part of the economy or of the academy?
"""


def lines(text: str) -> list[str]:
    return [line.replace("\\t", "\t") for line in text.strip().splitlines()]


@pytest.mark.parametrize("text", lines(NOW))
def test_a_question_about_now_is_found(text: str) -> None:
    assert is_about_now(asked(text))


@pytest.mark.parametrize("text", lines(LASTING))
def test_a_lasting_question_is_not_about_now(text: str) -> None:
    assert not is_about_now(asked(text))


@pytest.mark.parametrize("text", lines(MINE))
def test_a_question_about_oneself_is_found(text: str) -> None:
    assert is_about_the_asker(asked(text))


@pytest.mark.parametrize("text", lines(NOBODYS))
def test_a_question_for_everybody_is_not_about_the_asker(text: str) -> None:
    assert not is_about_the_asker(asked(text))


def test_only_the_last_user_turn_is_the_question() -> None:
    earlier = (
        Message("system", "Today is Tuesday."),
        Message("user", "What is my balance today?"),
        Message("assistant", "I cannot know that right now."),
    )
    request = Request(messages=(*earlier, Message("user", "Which rivers meet in Koblenz?")))
    assert not is_about_now(request)
    assert not is_about_the_asker(request)
    request = Request(messages=(*request.messages, Message("assistant", "It rains today.")))
    assert not is_about_now(request)


def test_a_long_document_between_the_ends_is_not_the_question() -> None:
    document = "It was the latest news of my account today. " * 200
    padding = "The Rhine flows north. " * 60
    assert not is_about_now(asked(padding + document + padding))
    assert is_about_now(asked(padding + document + padding + "What is the latest version?"))
    assert is_about_the_asker(asked("What is my balance?" + padding * 3))


def test_a_request_without_a_user_turn_is_about_nothing() -> None:
    request = Request(messages=(Message("system", "today, my balance"),))
    assert not is_about_now(request)
    assert not is_about_the_asker(request)


@pytest.mark.parametrize(
    "piece", [" ", "\t", "a\n", "my ", "my own ", "my x'", "what is the ", "how many ", "\u2019"]
)
def test_a_turn_of_a_million_characters_is_read_at_once(piece: str) -> None:
    request = asked(piece * (1_000_000 // len(piece)))
    began = time.process_time()
    is_about_now(request)
    is_about_the_asker(request)
    assert time.process_time() - began < 1  # some milliseconds; hours if it were not linear
